"""Events and traces as bytes: compressed JSON, one line an event.

What is decoded encodes to the same bytes again, so a stream that is read from a store is the one that was sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.trace import Trace
from steiner.server.store.base import Chunk

# Higher levels save a tenth more and take several times as long.
LEVEL = 1


def encode_chunk(events: Sequence[Event]) -> Chunk:
    """At least one event, consecutive ones."""
    lines = "\n".join(event.model_dump_json() for event in events)
    return Chunk(events[0].sequence_number, events[-1].sequence_number, zlib.compress(lines.encode(), LEVEL))


def decode_chunk(chunk: Chunk, after: int = 0) -> list[Event]:
    """The events of a chunk that are numbered above `after`."""
    lines = zlib.decompress(chunk.data).split(b"\n")
    # By position and not by parsing: events of a chunk have no gaps.
    return [EVENT_ADAPTER.validate_json(line) for line in lines[max(0, after + 1 - chunk.first) :]]


def encode_trace(trace: Trace) -> bytes:
    """A trace for a record."""
    return zlib.compress(trace.model_dump_json().encode(), LEVEL)


def decode_trace(data: bytes) -> Trace:
    """The trace of a record."""
    return Trace.model_validate_json(zlib.decompress(data))
