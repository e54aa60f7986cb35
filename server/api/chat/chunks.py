"""OpenAI's chat completions: a whole answer, or a stream of chunks.

OpenAI's fields, and these: `reasoning` and `reasoning_content` (the reasoning as text, under the two names in
use), `reasoning_steps` (the tree) in a message, `reasoning_step` (the event of the step stream, as
`POST /v1/reasoning` sends it) in a chunk, and vLLM's `stop_reason` in a choice. OpenAI's clients keep fields
they do not know.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from json.encoder import encode_basestring
from typing import Any, TypeVar

from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.events import (
    AnswerDelta,
    AnswerDone,
    Cancelled,
    Done,
    Event,
    Failed,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.plain_text import ReasoningText
from steiner.server.api.chat.usage import ToldUsage, count_so_far, total_usage, usage_body
from steiner.server.api.event_json import delta_json, event_json
from steiner.server.errors import ApiError, EngineUnavailable, InvalidRequest, NotReady
from steiner.server.generations.generation import Generation

Piece = TypeVar("Piece")


async def interleaved(streams: Sequence[AsyncIterator[Piece]]) -> AsyncGenerator[tuple[int, Piece], None]:
    """Pieces as they come: in order within a stream, and one at a time, so that a slow reader slows them all."""
    if len(streams) == 1:
        async for piece in streams[0]:
            yield 0, piece
        return
    waiting = {asyncio.ensure_future(anext(stream)): index for index, stream in enumerate(streams)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                index = waiting.pop(task)
                try:
                    piece = task.result()
                except StopAsyncIteration:
                    continue
                waiting[asyncio.ensure_future(anext(streams[index]))] = index
                yield index, piece
    finally:
        for task in waiting:
            task.cancel()


logger = logging.getLogger(__name__)

DONE = "data: [DONE]\n\n"


def tool_calls_field(trace: Trace) -> dict[str, Any]:
    """The field of a message; nothing where it has no calls, as OpenAI leaves it out."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in trace.tool_calls
    ]
    return {"tool_calls": calls} if calls else {}


def tool_call_chunk(event: ToolCallStarted | ToolCallDelta) -> dict[str, Any]:
    """One element of a chunk's `delta.tool_calls`: id and name first, then pieces of the arguments."""
    match event:
        case ToolCallStarted(index=index, id=call_id, name=name):
            function = {"name": name, "arguments": ""}
            return {"index": index, "id": call_id, "type": "function", "function": function}
        case ToolCallDelta(index=index, arguments=arguments):
            return {"index": index, "function": {"arguments": arguments}}


def logprobs_body(tokens: Iterable[AnswerToken]) -> dict[str, Any]:
    """Log probabilities of a choice."""
    return {"content": [token.model_dump(mode="json") for token in tokens], "refusal": None}


def ending_error(event: Failed | Cancelled) -> ApiError:
    """The error that a client gets for an unsuccessful ending."""
    if isinstance(event, Cancelled):
        return NotReady("the generation was cancelled; the server is shutting down", code="cancelled")
    match event.code:
        case "invalid_request":
            return InvalidRequest(event.message, code="invalid_value")
        case "engine_dead":
            return EngineUnavailable(event.message, code=event.code)
        case "timeout":
            late = NotReady(f"{event.message}; ask for fewer tokens", code=event.code)
            # On an idle server it might finish in time, but a client that retries at once would wait as long again.
            late.headers["x-should-retry"] = "false"
            return late
        case "draining" | "queue_timeout":
            return NotReady(event.message, code=event.code)
        case _:
            return ApiError(event.message, code=event.code)


async def chat_completion(choices: Sequence[Generation]) -> dict[str, Any]:
    """The whole answer, once every choice has ended.

    Raises:
        ApiError: one of them ended in an error or was cancelled.
    """
    read = await asyncio.gather(*(_choice(generation, index) for index, generation in enumerate(choices)))
    first = choices[0]
    return {
        "id": first.id,
        "object": "chat.completion",
        "created": first.created,
        "model": first.model,
        "choices": [choice for choice, _ in read],
        "usage": usage_body(total_usage([usage for _, usage in read])),
    }


async def _choice(generation: Generation, index: int) -> tuple[dict[str, Any], Usage]:
    reasoning = ReasoningText()
    pieces: list[str] = []
    logprobs: list[AnswerToken] = []
    usage: Usage | None = None
    finish_reason = "stop"
    stop_reason: str | int | None = None
    async for events in generation.events():
        for event in events:
            match event:
                case Usage():
                    usage = event
                case AnswerDelta():
                    logprobs += event.logprobs or ()
                case AnswerDone():
                    stop_reason = event.stop_reason
                case Done():
                    finish_reason = event.finish_reason
                case Failed() | Cancelled():
                    raise ending_error(event)
                case _:
                    pieces.append(reasoning.feed(event))
    assert usage is not None, "usage stands before every ending"
    text = "".join(pieces)
    trace = generation.trace
    choice = {
        "index": index,
        "message": {
            "role": "assistant",
            "content": trace.answer or (None if trace.tool_calls else ""),
            "refusal": None,
            **tool_calls_field(trace),
            "reasoning": text or None,
            "reasoning_content": text or None,
            "reasoning_steps": [step.model_dump(mode="json") for step in trace.steps],
        },
        "logprobs": logprobs_body(logprobs) if logprobs else None,
        "finish_reason": finish_reason,
        "stop_reason": stop_reason,
    }
    return choice, usage


class ChatChunks:
    """Turns events of one choice into the bytes of chunks. What is the same in every chunk is serialised once.

    Args:
        head: what every chunk of the stream begins with.
        index: of the choice.
        told: which chunks have usage. If any chunk of the stream has it, the others have null.
        usage_so_far: counts of the choice, by their names in the event.

    Attributes:
        usage: of the choice, once it has ended.
        failed: whether it ended in an error, which the stream then reports.
    """

    def __init__(
        self, head: str, index: int, told: ToldUsage, usage_so_far: Callable[[], Mapping[str, int]]
    ) -> None:
        self.usage: Usage | None = None
        self.failed = False
        self._tells_always = told == "always"
        self._usage_so_far = usage_so_far
        self._before_delta = f'{head}"choices":[{{"index":{index},"delta":{{'
        self._end_with("" if told == "never" else ',"usage":null')
        self._reasoning = ReasoningText()
        self._stop_reason: str | int | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Chunks of one batch of events, joined."""
        if self._tells_always and events:
            usage = usage_body(count_so_far(self._usage_so_far(), events))
            self._end_with(f',"usage":{json.dumps(usage, separators=(",", ":"))}')
        return "".join(map(self._chunk, events)).encode()

    def _chunk(self, event: Event) -> str:
        match event.type:
            case "section.delta" if event.text:
                # The same as the last case does, but the text, which occurs three times, is quoted once.
                quoted = encode_basestring(event.text)
                step = delta_json(event, quoted)
                return (
                    f'{self._before_delta}"reasoning":{quoted},"reasoning_content":{quoted},'
                    f'"reasoning_step":{step}{self._after_delta}'
                )
            case "answer.delta":
                content = f'"content":{encode_basestring(event.text)}'
                if event.logprobs is None:
                    return self._with_delta(content)
                logprobs = json.dumps(logprobs_body(event.logprobs), separators=(",", ":"))
                return f'{self._before_delta}{content}}},"logprobs":{logprobs}{self._before_ending}'
            case "tool_call.started" | "tool_call.delta":
                return self._with_delta(f'"tool_calls":[{json.dumps(tool_call_chunk(event))}]')
            case "tool_call.done":
                return ""
            case "answer.done":
                self._stop_reason = event.stop_reason
                return ""
            case "usage":
                self.usage = event
                return ""
            case "done":
                return self._ending(event)
            case "error" | "cancelled":
                self.failed = True
                return _error_chunk(ending_error(event))
            case "reasoning.started":
                return self._with_delta(
                    f'"role":"assistant","content":"","reasoning_step":{event.model_dump_json()}'
                )
            case _:
                text = self._reasoning.feed(event)
                step = f'"reasoning_step":{event_json(event)}'
                if not text:
                    return self._with_delta(step)
                quoted = encode_basestring(text)
                return self._with_delta(f'"reasoning":{quoted},"reasoning_content":{quoted},{step}')

    def _end_with(self, usage: str) -> None:
        self._after_choice = f"{usage}}}\n\n"
        self._before_ending = f',"finish_reason":null}}]{self._after_choice}'
        self._after_delta = f'}},"logprobs":null{self._before_ending}'

    def _with_delta(self, fields: str) -> str:
        return f"{self._before_delta}{fields}{self._after_delta}"

    def _ending(self, event: Done) -> str:
        reason = f'"finish_reason":"{event.finish_reason}","stop_reason":{json.dumps(self._stop_reason)}'
        return f'{self._before_delta}}},"logprobs":null,{reason}}}]{self._after_choice}'


def _error_chunk(error: ApiError) -> str:
    return f"data: {json.dumps(error.body())}\n\n"


async def _first_events_first(
    streams: Sequence[AsyncIterator[Sequence[Event]]],
) -> AsyncGenerator[tuple[int, Sequence[Event]], None]:
    """Batches of events, each with its stream's number. Every stream's first event comes before any second one."""
    # Each has its first before its generation waits for its turn, so nothing is held up.
    begun = [await anext(stream) for stream in streams]
    for index, events in enumerate(begun):
        yield index, events[:1]
    for index, events in enumerate(begun):
        yield index, events[1:]
    async with aclosing(interleaved(streams)) as batches:
        async for batch in batches:
            yield batch


async def chat_stream(choices: Sequence[Generation], told: ToldUsage) -> AsyncGenerator[bytes, None]:
    """The stream of chunks, one piece per engine update of a choice; an error of one choice ends it.

    The first chunks of all choices come before anything else, in order: the official client's helper takes the k-th
    choice that it sees for the one of index k.
    """
    first = choices[0]
    fixed = {
        "id": first.id,
        "object": "chat.completion.chunk",
        "created": first.created,
        "model": first.model,
    }
    head = f"data: {json.dumps(fixed, separators=(',', ':'))[:-1]},"
    chunks = [
        ChatChunks(head, index, told, lambda one=one: one.usage)  # type: ignore[misc]
        for index, one in enumerate(choices)
    ]
    try:
        streams = [choice.events() for choice in choices]
        # One alone is spared the layer, which every chunk would go through.
        is_simple = len(streams) == 1 and told != "always"
        async with aclosing((interleaved if is_simple else _first_events_first)(streams)) as batches:
            async for index, events in batches:
                if piece := chunks[index].encode(events):
                    yield piece
                if chunks[index].failed:
                    yield DONE.encode()
                    return
    except NotReady as error:
        logger.info("%s is cut off: %s", first.id, error.message)
        yield f"{_error_chunk(error)}{DONE}".encode()
        return
    usages = [one.usage for one in chunks if one.usage is not None]
    ending = DONE
    if told != "never":
        ending = f'{head}"choices":[],"usage":{json.dumps(usage_body(total_usage(usages)))}}}\n\n{DONE}'
    yield ending.encode()
