"""Readers of streams that accept nothing but what is promised: each number once, one ending, usage before it."""

import asyncio
import json
from typing import Any

import httpx
from soak_ledger import Broken

from steiner.client.event_stream import EventStreamDecoder, Message

TERMINAL_TYPES = frozenset({"done", "error", "cancelled"})
RESPONSE_ENDINGS = frozenset({"response.completed", "response.incomplete", "response.failed"})
OUTCOME_OF_STATUS = {
    "completed": "done",
    "incomplete": "done",
    "failed": "error",
    "cancelled": "cancelled",
}


class Reader:
    """Follows one generation over any number of connections; subclasses know the dialect.

    Attributes:
        num_taken: messages so far.
        outcome: how it ended; None before.
    """

    def __init__(self) -> None:
        self.num_taken = 0
        self.outcome: str | None = None
        self.id: str | None = None
        self.completion_tokens = 0
        self.reasoning_tokens = 0

    def take(self, message: Message) -> None:
        """One message.

        Raises:
            Broken: it does not belong here.
        """
        self.num_taken += 1

    async def follow(
        self, response: httpx.Response, *, leave_after: int | None = None, pause_s: float = 0.0
    ) -> None:
        """Read a connection to its end, or leave it after so many messages.

        Args:
            pause_s: between two reads.
        """
        decoder = EventStreamDecoder()
        begun_at = self.num_taken
        async for piece in response.aiter_bytes():
            for message in decoder.feed(piece):
                self.take(message)
                if leave_after is not None and self.num_taken - begun_at >= leave_after:
                    return
            if pause_s:
                await asyncio.sleep(pause_s)

    def require_end(self) -> None:
        """Raises Broken if the stream stopped before its ending."""
        if self.outcome is None:
            raise Broken(f"{type(self).__name__} {self.id}: no ending after {self.num_taken} messages")

    def _end(self, outcome: str) -> None:
        if self.outcome is not None:
            raise Broken(f"{type(self).__name__} {self.id}: ended as {self.outcome} and again as {outcome}")
        self.outcome = outcome


class StepReader(Reader):
    """POST /v1/reasoning and its resumption: numbers from 1 without a gap; keeps the bytes of each event."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str]] = []
        self._usage_at = 0

    def take(self, message: Message) -> None:
        super().take(message)
        if self.outcome is not None:
            raise Broken(f"{self.id}: {message.event} behind {self.outcome}")
        event = json.loads(message.data)
        number = len(self.events) + 1
        if event["sequence_number"] != number or message.last_event_id != str(number):
            raise Broken(f"{self.id}: event {event['sequence_number']} where {number} comes next")
        if message.event != event["type"]:
            raise Broken(f"{self.id}: named {message.event}, typed {event['type']}")
        self.events.append((message.event, message.data))
        match message.event:
            case "reasoning.started":
                self.id = event["id"]
            case "usage":
                self._usage_at = number
                self.completion_tokens = event["completion_tokens"]
                self.reasoning_tokens = event["reasoning_tokens"]
            case kind if kind in TERMINAL_TYPES:
                if self._usage_at != number - 1:
                    raise Broken(f"{self.id}: no usage before {kind}")
                self._end(kind)


class ChunkReader(Reader):
    """Chat chunks: one finish_reason, then usage, then [DONE]."""

    def __init__(self) -> None:
        super().__init__()
        self._finish_reason: str | None = None
        self._has_usage = False

    def take(self, message: Message) -> None:
        super().take(message)
        if self.outcome is not None:
            raise Broken(f"{self.id}: a chunk behind [DONE]")
        if message.data == "[DONE]":
            if self._finish_reason is None or not self._has_usage:
                raise Broken(f"{self.id}: [DONE] without finish_reason and usage")
            self._end("done")
            return
        chunk = json.loads(message.data)
        if "error" in chunk:
            raise Broken(f"{self.id}: {chunk['error']}")
        self.id = chunk["id"]
        for choice in chunk["choices"]:
            if self._finish_reason is not None:
                raise Broken(f"{self.id}: a choice behind finish_reason")
            self._finish_reason = choice["finish_reason"]
        if chunk["usage"] is not None:
            self._has_usage = True
            self.take_usage(chunk["usage"])

    def take_usage(self, usage: dict[str, Any]) -> None:
        """OpenAI's usage of a chat completion."""
        self.completion_tokens = usage["completion_tokens"]
        self.reasoning_tokens = usage["completion_tokens_details"]["reasoning_tokens"]


class ResponseReader(Reader):
    """Events of the Responses API: numbers from 0 without a gap, one of its endings last."""

    def take(self, message: Message) -> None:
        if self.outcome is not None:
            raise Broken(f"{self.id}: {message.event} behind {self.outcome}")
        event = json.loads(message.data)
        if event["sequence_number"] != self.num_taken:
            raise Broken(f"{self.id}: event {event['sequence_number']} where {self.num_taken} comes next")
        super().take(message)
        if message.event == "response.created":
            self.id = event["response"]["id"]
        elif message.event in RESPONSE_ENDINGS:
            self.take_ending(event["response"])

    def take_ending(self, response: dict[str, Any]) -> None:
        """A response that has ended, streamed or retrieved."""
        usage = response["usage"]
        if usage is None:
            raise Broken(f"{response['id']}: {response['status']} without usage")
        self.id = response["id"]
        self.completion_tokens = usage["output_tokens"]
        self.reasoning_tokens = usage["output_tokens_details"]["reasoning_tokens"]
        self._end(OUTCOME_OF_STATUS[response["status"]])
