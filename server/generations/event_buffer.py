"""The events of one generation that its store does not have yet. Nothing else of it is held in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from steiner.reasoning.events import Event
from steiner.server.generations.store.base import Chunk, decode_chunk, encode_chunk

EVENT_BYTES = 600
"""Bytes of an event without its text, measured by tracemalloc. Encoded, an event of one token takes about 10."""


class EventBuffer:
    """A numbered run of events: the newest as objects, those before them encoded.

    Args:
        max_bytes: of memory. Beyond it events are encoded, and if that is not enough, the oldest are lost.

    Attributes:
        max_bytes: the same.
        first: number of the oldest event in the buffer.
        last: number of the newest event there ever was; 0 before the first.
        num_lost: number of the newest event that was dropped before it was saved; 0 if none was.
    """

    def __init__(self, max_bytes: int) -> None:
        self.first = 1
        self.last = 0
        self.num_lost = 0
        self.max_bytes = max_bytes
        self._loose: list[Event] = []
        self._loose_bytes = 0
        self._chunks: deque[Chunk] = deque()
        self._chunk_bytes = 0

    @property
    def num_bytes(self) -> int:
        """An estimate of the memory that the events take, in bytes."""
        return self._loose_bytes + self._chunk_bytes

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What was encoded, in order."""
        return tuple(self._chunks)

    def add(self, events: Sequence[Event]) -> None:
        """Take the next events."""
        self._loose.extend(events)
        self.last = events[-1].sequence_number
        self._loose_bytes += _num_bytes(events)
        if self._loose_bytes + self._chunk_bytes > self.max_bytes:
            self.encode()
            self.shrink(self.max_bytes)

    def encode(self) -> None:
        """Turn the newest events into a chunk as well."""
        if self._loose:
            chunk = encode_chunk(self._loose)
            self._chunks.append(chunk)
            self._chunk_bytes += len(chunk.data)
            self._loose, self._loose_bytes = [], 0

    def shrink(self, max_bytes: int) -> None:
        """Drop the oldest chunks until the buffer is as small as this."""
        while self._chunks and self.num_bytes > max_bytes:
            self.num_lost = self._drop_chunk().last

    def release(self, up_to: int) -> None:
        """Drop the events up to this number: they are kept elsewhere, or nobody needs them."""
        while self._chunks and self._chunks[0].last <= up_to:
            self._drop_chunk()
        if up_to >= self.last:
            # The usual case: a reader that keeps up comes here with every update.
            self.first, self._loose, self._loose_bytes = self.last + 1, [], 0
        elif not self._chunks and self._loose and up_to >= self.first:
            gone = self._loose[: up_to + 1 - self.first]
            del self._loose[: len(gone)]
            self.first += len(gone)
            self._loose_bytes -= _num_bytes(gone)

    def read(self, after: int) -> Sequence[Event] | None:
        """Some of the next events above `after`, at least one where there is any; None if they have left."""
        if after + 1 < self.first:
            return None
        for chunk in self._chunks:
            if chunk.last > after:
                return decode_chunk(chunk, after)
        return self._loose[after - self.last :] if after < self.last else ()

    def _drop_chunk(self) -> Chunk:
        chunk = self._chunks.popleft()
        self._chunk_bytes -= len(chunk.data)
        self.first = chunk.last + 1
        return chunk


def _num_bytes(events: Sequence[Event]) -> int:
    num_bytes = EVENT_BYTES * len(events)
    for event in events:
        # By type, because pydantic takes microseconds to find out that a model has no such field.
        match event.type:
            case "section.delta" | "section.done" | "answer.delta" | "answer.done" | "violation":
                num_bytes += len(event.text)
    return num_bytes
