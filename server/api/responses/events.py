"""Events of a Responses stream from those of a generation, in OpenAI's names.

https://platform.openai.com/docs/api-reference/responses-streaming. A function of the event log: any replay gives the
same bytes, so a stream resumes by counting, and no second log is kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Sequence
from json.encoder import encode_basestring
from typing import Any

from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.events import Cancelled, Event, Failed, SectionStarted, StepDone
from steiner.server.access.step_seal import SealStep
from steiner.server.api.chat.chunks import ending_error
from steiner.server.api.responses.body import ResponseBody, Status
from steiner.server.api.responses.input import Item
from steiner.server.api.responses.output import CallOutput, ItemStatus, Output, StepOutput, decision_text
from steiner.server.errors import ApiError, NotReady
from steiner.server.generations.readable import Readable

logger = logging.getLogger(__name__)


class ResponseEvents:
    """Feed it a generation's events from the first; numbers begin at 0, as OpenAI's do.

    Args:
        generation: whose events they are.
        seal: see `ResponseBody`.

    Attributes:
        body: the response so far.
        next_number: of the next event.
    """

    def __init__(self, generation: Readable, seal: SealStep | None = None) -> None:
        self.body = ResponseBody(generation, seal)
        self.next_number = 0
        self._early_logprobs: list[dict[str, Any]] = []
        self._said: list[str] = []

    def feed(self, events: Sequence[Event]) -> list[str]:
        """Server-sent events, one for each event of the Responses stream that these cause."""
        for event in events:
            self._take(event)
        said, self._said = self._said, []
        return said

    def _take(self, event: Event) -> None:
        body = self.body
        if body.status == "queued" and event.type not in BEFORE_ITS_TURN:
            body.status = "in_progress"
            self._say_response("response.in_progress", body.status)
        match event.type:
            case "section.delta":
                self._say_step_text(event.text, is_delta=True)
                return
            case "answer.delta":
                self._say_answer(event.text, event.logprobs)
                return
        body.take(event)
        match event.type:
            case "reasoning.started":
                self._begin()
            case "step.started":
                self._open_step(event.step)
            case "section.started":
                self._start_section(event)
            case "section.done":
                self._end_summary()
            case "step.verified" if body.step is not None:
                self._say_step_text(body.step.text.feed(event))
            case "step.done":
                self._end_step(event)
            case "answer.done":
                self._end_answer("incomplete" if event.finish_reason == "length" else "completed")
            case "tool_call.started":
                call = body.open_call(event.id, event.name)
                self._say_item("response.output_item.added", call, call.item)
            case "tool_call.delta":
                self._say_arguments(body.calls[event.index], event.arguments)
            case "tool_call.done":
                self._end_call(body.calls[event.index], "completed")
            case "done" | "error" | "cancelled":
                self._end()

    def _begin(self) -> None:
        status = self.body.status
        self._say_response("response.created", status)
        self._say_response("response.queued" if status == "queued" else "response.in_progress", status)

    def _open_step(self, step_id: int) -> None:
        step = self.body.open_step(step_id)
        self._say_item("response.output_item.added", step, {**step.item, "content": []})
        self._say_part("response.content_part.added", step, {"type": "reasoning_text", "text": ""})

    def _start_section(self, event: SectionStarted) -> None:
        step = self.body.step
        if step is None:
            return
        self._end_summary()
        self._say_step_text(step.text.feed(event))
        if event.role == "summary":
            step.summaries.append([])
            step.in_summary = True
            part = {"type": "summary_text", "text": ""}
            self._say_summary("response.reasoning_summary_part.added", step, f'"part":{_json(part)}')

    def _say_step_text(self, text: str, *, is_delta: bool = False) -> None:
        step = self.body.step
        if step is None or not text:
            return
        step.pieces.append(text)
        delta = f'"delta":{encode_basestring(text)}'
        self._say("response.reasoning_text.delta", f'{step.place},"content_index":0,{delta}')
        if is_delta and step.in_summary:
            step.summaries[-1].append(text)
            self._say_summary("response.reasoning_summary_text.delta", step, delta)

    def _end_summary(self) -> None:
        step = self.body.step
        if step is None or not step.in_summary:
            return
        step.in_summary = False
        text = "".join(step.summaries[-1])
        self._say_summary("response.reasoning_summary_text.done", step, f'"text":{encode_basestring(text)}')
        part = {"type": "summary_text", "text": text}
        self._say_summary("response.reasoning_summary_part.done", step, f'"part":{_json(part)}')

    def _end_step(self, event: StepDone) -> None:
        step = self.body.step
        if step is None:
            return
        self._say_step_text(decision_text(event.decision))
        step.step = self.body.step_body(event.step)
        self._close_step("incomplete" if event.interrupted else "completed")

    def _close_step(self, status: ItemStatus) -> None:
        step = self.body.step
        assert step is not None
        self._end_summary()
        step.status = status
        part = step.item["content"][0]
        text = encode_basestring(part["text"])
        self._say("response.reasoning_text.done", f'{step.place},"content_index":0,"text":{text}')
        self._say_part("response.content_part.done", step, part)
        self._say_item("response.output_item.done", step, step.item)
        self.body.step = None

    def _say_answer(self, text: str, told: Sequence[AnswerToken] | None = None) -> None:
        message = self.body.message
        logprobs = [token.model_dump(mode="json") for token in told or ()]
        if message is None:
            if told and not text:
                # They belong to text that is held back, or to a call, and this API has no place for those.
                self._early_logprobs += logprobs
                return
            logprobs = self._early_logprobs + logprobs
            message = self.body.open_message()
            self._say_item("response.output_item.added", message, {**message.item, "content": []})
            self._say_part("response.content_part.added", message, message.part)
        if text or logprobs:
            message.pieces.append(text)
            message.logprobs += logprobs
            delta = f'"delta":{encode_basestring(text)},"logprobs":{_json(logprobs) if logprobs else "[]"}'
            self._say("response.output_text.delta", f'{message.place},"content_index":0,{delta}')

    def _say_arguments(self, call: CallOutput, arguments: str) -> None:
        call.pieces.append(arguments)
        fields = f'{call.place},"delta":{encode_basestring(arguments)}'
        self._say("response.function_call_arguments.delta", fields)

    def _end_call(self, call: CallOutput, status: ItemStatus) -> None:
        call.status = status
        item = call.item
        arguments = encode_basestring(item["arguments"])
        fields = f'{call.place},"name":"{call.name}","arguments":{arguments}'
        self._say("response.function_call_arguments.done", fields)
        self._say_item("response.output_item.done", call, item)

    def _end_answer(self, status: ItemStatus) -> None:
        self._cut_calls()
        if self.body.message is None and not self.body.calls:
            self._say_answer("")
        if self.body.message is not None:
            self._end_message(status)

    def _cut_calls(self) -> None:
        for call in self.body.calls:
            if call.status == "in_progress":
                self._end_call(call, "incomplete")

    def _end_message(self, status: ItemStatus) -> None:
        message = self.body.message
        assert message is not None
        message.status = status
        text = encode_basestring(message.part["text"])
        logprobs = f'"logprobs":{_json(message.logprobs)}'
        self._say("response.output_text.done", f'{message.place},"content_index":0,"text":{text},{logprobs}')
        self._say_part("response.content_part.done", message, message.part)
        self._say_item("response.output_item.done", message, message.item)

    def _end(self) -> None:
        body = self.body
        # What a failure or a cancellation cut off.
        if body.step is not None:
            self._close_step("incomplete")
        self._cut_calls()
        if body.message is not None and body.message.status == "in_progress":
            self._end_message("incomplete")
        self._say_response(TERMINAL_TYPE[body.status], body.status)

    def error(self, error: ApiError) -> str:
        """The event of a stream that ends before its response does."""
        said = {"code": error.code, "message": error.message, "param": error.param}
        self._say("error", _json(said)[1:-1])
        return self._said.pop()

    def _say_response(self, type_: str, status: Status) -> None:
        self._say(type_, f'"response":{_json(self.body.body(status))}')

    def _say_item(self, type_: str, output: Output, item: Item) -> None:
        self._say(type_, f'"output_index":{output.index},"item":{_json(item)}')

    def _say_part(self, type_: str, output: Output, part: dict[str, Any]) -> None:
        self._say(type_, f'{output.place},"content_index":0,"part":{_json(part)}')

    def _say_summary(self, type_: str, step: StepOutput, fields: str) -> None:
        self._say(type_, f'{step.place},"summary_index":{len(step.summaries) - 1},{fields}')

    def _say(self, type_: str, fields: str) -> None:
        number = self.next_number
        self.next_number = number + 1
        self._said.append(
            f'event: {type_}\ndata: {{"type":"{type_}","sequence_number":{number},{fields}}}\n\n'
        )


# A background response is announced before its turn comes, and may end while it waits.
BEFORE_ITS_TURN = frozenset({"reasoning.started", "usage", "done", "error", "cancelled"})

TERMINAL_TYPE: dict[Status, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    # OpenAI's streams have no event for it.
    "cancelled": "response.incomplete",
}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def response_stream(
    generation: Readable, after: int = -1, seal: SealStep | None = None
) -> AsyncGenerator[bytes, None]:
    """The stream from the event numbered `after` + 1, one piece per engine update.

    If events cannot be read on the way, the stream of a stored response just ends. The client resumes, and that request
    gets the reason. Any other stream ends in OpenAI's event `error`.
    """
    wire = ResponseEvents(generation, seal)
    try:
        async for events in generation.events():
            first = wire.next_number
            said = wire.feed(events)
            if new := said[max(after + 1 - first, 0) :]:
                yield "".join(new).encode()
    except NotReady as error:
        logger.warning("a stream of %s ends early: %s", generation.id, error.message)
        if not wire.body.record.settings["store"]:
            yield wire.error(error).encode()


async def response_so_far(generation: Readable, seal: SealStep | None = None) -> ResponseEvents:
    """Everything that the log has so far."""
    wire = ResponseEvents(generation, seal)
    newest = generation.last_sequence_number
    if newest:
        async for events in generation.events():
            wire.feed(events)
            if events[-1].sequence_number >= newest:
                break
    return wire


async def whole_response(generation: Readable, seal: SealStep | None = None) -> dict[str, Any]:
    """The response object, once the generation has ended.

    Raises:
        ApiError: the generation ended in an error or was cancelled.
    """
    wire = ResponseEvents(generation, seal)
    async for events in generation.events():
        wire.feed(events)
        if isinstance(events[-1], Failed | Cancelled):
            raise ending_error(events[-1])
    return wire.body.body()
