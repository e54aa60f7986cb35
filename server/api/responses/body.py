"""The response object of the Responses API, folded from a generation's events.

It depends only on the event log, on what the generation keeps of its request, and on when it began and ended. So the
last event of a stream, a response that was waited for, and one that is read later or by another process are the same.
"""

from __future__ import annotations

from typing import Any, Literal

from steiner.reasoning.events import Cancelled, Done, Event, Failed, ReasoningStarted, Usage
from steiner.reasoning.tree.trace_of_events import TraceFold
from steiner.server.access.step_seal import SealStep
from steiner.server.api.responses.input import UNTOLD, Item, ResponseRecord
from steiner.server.api.responses.output import CallOutput, MessageOutput, Output, StepOutput
from steiner.server.generations.readable import Readable

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class ResponseBody:
    """Takes every event of one generation, in order; deltas of text go to its open items.

    Args:
        generation: whose events they are.
        seal: seals its steps, if its reasoning items need them sealed.

    Attributes:
        record: what is kept of the request.
        status: so far.
        output: items so far.
        step: the open step's item.
        message: the answer's item, once there is one.
        calls: items of the answer's calls.
    """

    def __init__(self, generation: Readable, seal: SealStep | None = None) -> None:
        self.record = ResponseRecord.model_validate(generation.request)
        self.status: Status = "queued" if self.record.background else "in_progress"
        self.output: list[Output] = []
        self.step: StepOutput | None = None
        self.message: MessageOutput | None = None
        self.calls: list[CallOutput] = []
        self._generation = generation
        self._seal = seal
        self._suffix = generation.id.removeprefix("resp_")
        self._fold = TraceFold()
        self._policy: dict[str, Any] = {}
        self._usage: dict[str, Any] | None = None
        self._ending: Done | Failed | Cancelled | None = None

    def take(self, event: Event) -> None:
        """Take one event that is not a delta."""
        self._fold.take(event)
        match event:
            case ReasoningStarted(policy=policy):
                self._policy = policy.model_dump(mode="json")
            case Usage():
                self._usage = _usage(event)
            case Done(finish_reason=reason):
                self.status = "incomplete" if reason == "length" else "completed"
                self._ending = event
            case Failed():
                self.status = "failed"
                self._ending = event
            case Cancelled():
                self.status = "cancelled"
                self._ending = event
            case _:
                pass

    def open_step(self, step_id: int) -> StepOutput:
        """A new item for a step that has begun."""
        item_id = f"rs_{self._suffix}_{step_id}"
        self.step = StepOutput(item_id, len(self.output), self.step_body(step_id), seal=self._seal)
        self.output.append(self.step)
        return self.step

    def open_message(self) -> MessageOutput:
        """The item of the answer."""
        self.message = MessageOutput(f"msg_{self._suffix}", len(self.output))
        self.output.append(self.message)
        return self.message

    def open_call(self, call_id: str, name: str) -> CallOutput:
        """A new item for a call that has begun."""
        call = CallOutput(f"fc_{self._suffix}_{len(self.calls)}", len(self.output), call_id, name)
        self.calls.append(call)
        self.output.append(call)
        return call

    def step_body(self, step_id: int) -> dict[str, Any]:
        """A step, as far as events have described it."""
        return self._fold.step(step_id).model_dump(mode="json", exclude=UNTOLD)

    def body(self, status: Status | None = None) -> dict[str, Any]:
        """The response object, with `status` if given in place of its own."""
        settings, generation = self.record.settings, self._generation
        return {
            "id": generation.id,
            "object": "response",
            "created_at": generation.created,
            "completed_at": self._completed_at,
            "status": status or self.status,
            "model": generation.model,
            **settings,
            "reasoning": {**settings["reasoning"], **self._policy},
            "output": self.items,
            "error": self._error,
            "incomplete_details": self._incomplete_details,
            "usage": self._usage,
            "trace": self._trace,
        }

    @property
    def items(self) -> list[Item]:
        """Output items so far."""
        if self.step is not None:
            self.step.step = self.step_body(self.step.step["id"])
        return [output.item for output in self.output]

    @property
    def _completed_at(self) -> int | None:
        ended = self._generation.finished_at
        return int(ended) if self.status == "completed" and ended is not None else None

    @property
    def _error(self) -> dict[str, Any] | None:
        if not isinstance(self._ending, Failed):
            return None
        # OpenAI's codes are a closed list, so our own code is the type of the error.
        code = "invalid_prompt" if self._ending.code == "invalid_request" else "server_error"
        return {"code": code, "message": self._ending.message, "type": self._ending.code, "param": None}

    @property
    def _incomplete_details(self) -> dict[str, Any] | None:
        return {"reason": "max_output_tokens"} if self.status == "incomplete" else None

    @property
    def _trace(self) -> dict[str, Any]:
        trace = self._fold.trace()
        return trace.model_dump(
            mode="json", include={"protocol", "ended_by", "num_violations", "interventions"}
        )


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "forced_tokens": usage.forced_tokens,
        },
        "total_tokens": usage.total_tokens,
    }
