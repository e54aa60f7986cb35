"""The trace that a stream of events describes, for programs that have the stream and not the server."""

from collections.abc import Iterable
from typing import Any, assert_never

from steiner.reasoning import events
from steiner.reasoning.answer import ToolCall
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.events import Event, Intervention
from steiner.reasoning.protocol import SectionRole
from steiner.reasoning.steps import Section, Step
from steiner.reasoning.trace import Trace


class BrokenStreamError(SteinerError):
    """Events that cannot follow each other; the message names the one that does not fit."""

    def __init__(self, event: Event, problem: str) -> None:
        super().__init__(f"event {event.sequence_number} ({event.type}): {problem}")


def trace_of(stream: Iterable[Event]) -> Trace:
    """Build the trace. The stream may have stopped anywhere, and events that a resumed one repeats count once.

    Events have neither times nor whether a decision was forced, so these fields keep their defaults.

    Raises:
        BrokenStreamError: an event of a step or section that never began, or of a second generation.
    """
    fold = TraceFold()
    last_number = 0
    for event in stream:
        if isinstance(event, events.ReasoningStarted) and fold.fields.get("id", event.id) != event.id:
            raise BrokenStreamError(event, "a second generation begins; give one at a time")
        # Events that were never numbered have number 0.
        if event.sequence_number > last_number or event.sequence_number == 0:
            last_number = event.sequence_number
            fold.take(event)
    return fold.trace()


class TraceFold:
    """The trace so far, event by event. Deltas may be left out, because the event that ends a text has all of it."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {"protocol": ""}
        self._steps: dict[int, dict[str, Any]] = {}
        self._answer = ""
        self._calls: list[ToolCall] = []
        self._num_violations = 0
        self._num_forced = 0
        self._interventions: list[Intervention] = []

    def trace(self) -> Trace:
        """All of it."""
        steps = tuple(map(self.step, self._steps))
        counted = {"num_forced_tokens": self._num_forced, "num_violations": self._num_violations}
        return Trace(
            **(counted | self.fields),
            steps=steps,
            answer=self._answer,
            tool_calls=tuple(self._calls),
            interventions=tuple(self._interventions),
        )

    def step(self, step_id: int) -> Step:
        """One step that has begun."""
        step = self._steps[step_id]
        return Step(**{**step, "sections": tuple(Section(**section) for section in step["sections"])})

    def take(self, event: Event) -> None:  # noqa: C901 - one case an event type
        match event:
            case events.ReasoningStarted():
                self.fields |= event.model_dump(include={"id", "model", "protocol"})
            case events.StepStarted(step=step, depth=depth, parent=parent):
                if step in self._steps:
                    raise BrokenStreamError(event, f"step {step} began before")
                self._steps[step] = {"id": step, "depth": depth, "parent": parent, "sections": []}
            case events.SectionStarted(role=role, name=name):
                section = {"role": role, "name": name, "text": "", "num_tokens": 0}
                self._step(event, event.step)["sections"].append(section)
            case events.SectionDelta(role=role, text=text):
                self._section(event, role)["text"] += text
            case events.SectionDone(role=role):
                self._section(event, role).update(event.model_dump(include={"text", "num_tokens"}))
            case events.StepVerified(step=step, verdict=verdict, forced=forced):
                self._step(event, step).update(verdict=verdict, verdict_forced=forced)
            case events.StepDone(step=step):
                told = event.model_dump(include={"verdict", "repeats", "interrupted", "num_tokens"})
                self._step(event, step).update(told, decision=event.decision)
            case events.Intervention():
                self._interventions.append(event)
                self._num_forced += event.num_forced_tokens
            case events.Violation():
                self._num_violations += 1
            case events.ReasoningDone():
                self.fields |= event.model_dump(include={"ended_by", "num_reasoning_tokens"})
            case events.AnswerDelta(text=text):
                self._answer += text
            case events.ToolCallDone():
                self._calls.append(ToolCall(**event.model_dump(include={"id", "name", "arguments"})))
            case events.AnswerDone(text=text, num_tokens=num_tokens):
                self._answer = text
                self.fields |= {"num_answer_tokens": num_tokens, "finish_reason": event.finish_reason}
            case events.Usage():
                counts = event.model_dump(include=USAGE)
                self.fields |= {f"num_{name}": count for name, count in counts.items()}
            case events.Done(finish_reason=finish_reason):
                self.fields["finish_reason"] = finish_reason
            case events.ToolCallStarted() | events.ToolCallDelta():
                # A call counts once it is whole.
                pass
            case events.Backtracked() | events.Cancelled() | events.Failed():
                pass
            case _:
                assert_never(event)

    def _step(self, event: Event, step: int) -> dict[str, Any]:
        if step not in self._steps:
            raise BrokenStreamError(event, f"step {step} never began; the beginning of the stream is missing")
        return self._steps[step]

    def _section(self, event: events.SectionDelta | events.SectionDone, role: SectionRole) -> dict[str, Any]:
        sections: list[dict[str, Any]] = self._step(event, event.step)["sections"]
        if not sections or sections[-1]["role"] != role:
            raise BrokenStreamError(event, f"section {role} of step {event.step} never began")
        return sections[-1]


USAGE = {"prompt_tokens", "reasoning_tokens", "answer_tokens", "forced_tokens"}
"""Counts of `usage` that a trace also has, under names that begin with `num_`."""
