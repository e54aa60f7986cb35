"""OpenAI's chat completions: a whole answer, or a stream of chunks.

Beside OpenAI's fields: `reasoning` and `reasoning_content` (the reasoning as text, under the two names in
use), `reasoning_steps` (the tree) in a message, `reasoning_step` (the event of the step stream, as
`POST /v1/reasoning` sends it) in a chunk, and vLLM's `stop_reason` in a choice. OpenAI's clients keep fields
they do not know.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from json.encoder import encode_basestring
from typing import Any

from steiner.reasoning.events import AnswerDelta, AnswerDone, Cancelled, Done, Event, Failed, Usage
from steiner.reasoning.logprobs import AnswerToken
from steiner.server.errors import ApiError, EngineUnavailable, InvalidRequest, NotReady
from steiner.server.generation import Generation
from steiner.server.wire.reasoning_text import ReasoningText
from steiner.server.wire.tool_calls import tool_call_chunk, tool_calls_field


def usage_body(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's shape; forced tokens are part of the completion and of the reasoning."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "forced_tokens": usage.forced_tokens,
        },
    }


def logprobs_body(tokens: Iterable[AnswerToken]) -> dict[str, Any]:
    """Log probabilities of a choice."""
    return {"content": [token.model_dump(mode="json") for token in tokens], "refusal": None}


def ending_error(event: Failed | Cancelled) -> ApiError:
    """The error that an unsuccessful ending means to a client."""
    if isinstance(event, Cancelled):
        return NotReady("the generation was cancelled; the server is shutting down", code="cancelled")
    match event.code:
        case "invalid_request":
            return InvalidRequest(event.message, code="invalid_value")
        case "engine_dead":
            return EngineUnavailable(event.message, code=event.code)
        case "timeout" | "draining" | "queue_timeout":
            return NotReady(event.message, code=event.code)
        case _:
            return ApiError(event.message, code=event.code)


async def chat_completion(generation: Generation) -> dict[str, Any]:
    """The whole answer, when it is there.

    Raises:
        ApiError: the generation ended in an error or was cancelled.
    """
    reasoning = ReasoningText()
    pieces: list[str] = []
    usage: dict[str, Any] = {}
    finish_reason = "stop"
    stop_reason: str | int | None = None
    logprobs: list[AnswerToken] = []
    async for events in generation.events():
        for event in events:
            match event:
                case Usage():
                    usage = usage_body(event)
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
    text = "".join(pieces)
    trace = generation.trace
    return {
        "id": generation.id,
        "object": "chat.completion",
        "created": generation.created,
        "model": generation.model,
        "choices": [
            {
                "index": 0,
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
        ],
        "usage": usage,
    }


class ChatChunks:
    """Events to the bytes of chunks. What never changes between chunks is serialised once."""

    def __init__(self, generation: Generation, *, include_usage: bool) -> None:
        head = json.dumps(
            {
                "id": generation.id,
                "object": "chat.completion.chunk",
                "created": generation.created,
                "model": generation.model,
            },
            separators=(",", ":"),
        )
        self._head = f"data: {head[:-1]},"
        usage = ',"usage":null' if include_usage else ""
        self._before_delta = f'{self._head}"choices":[{{"index":0,"delta":{{'
        self._before_ending = f',"finish_reason":null}}]{usage}}}\n\n'
        self._after_delta = f'}},"logprobs":null{self._before_ending}'
        self._include_usage = include_usage
        self._reasoning = ReasoningText()
        self._usage: Usage | None = None
        self._stop_reason: str | int | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Chunks of one batch of events, joined."""
        return "".join(map(self._chunk, events)).encode()

    def _chunk(self, event: Event) -> str:
        match event.type:
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
                self._usage = event
                return ""
            case "done":
                return self._ending(event)
            case "error" | "cancelled":
                return f"data: {json.dumps(ending_error(event).body())}\n\ndata: [DONE]\n\n"
            case "reasoning.started":
                return self._with_delta(
                    f'"role":"assistant","content":"","reasoning_step":{event.model_dump_json()}'
                )
            case _:
                text = self._reasoning.feed(event)
                step = f'"reasoning_step":{event.model_dump_json()}'
                if not text:
                    return self._with_delta(step)
                quoted = encode_basestring(text)
                return self._with_delta(f'"reasoning":{quoted},"reasoning_content":{quoted},{step}')

    def _with_delta(self, fields: str) -> str:
        return f"{self._before_delta}{fields}{self._after_delta}"

    def _ending(self, event: Done) -> str:
        usage = ',"usage":null' if self._include_usage else ""
        reason = f'"finish_reason":"{event.finish_reason}","stop_reason":{json.dumps(self._stop_reason)}'
        ending = f'{self._before_delta}}},"logprobs":null,{reason}}}]{usage}}}\n\n'
        if self._include_usage and self._usage is not None:
            ending += f'{self._head}"choices":[],"usage":{json.dumps(usage_body(self._usage))}}}\n\n'
        return f"{ending}data: [DONE]\n\n"


async def chat_stream(generation: Generation, *, include_usage: bool) -> AsyncIterator[bytes]:
    """The stream of chunks, one piece per engine update."""
    chunks = ChatChunks(generation, include_usage=include_usage)
    async for events in generation.events():
        if piece := chunks.encode(events):
            yield piece
