"""What is kept of a generation, and what a store has to do.

A store knows nothing about events and traces. To it they are bytes: compressed JSON with one line for each event.
Decoding and encoding again gives the same bytes, so a stream read from a store is the one that was sent. One or several
servers use a store at a time. Each is a *process* with its own name, and the store can tell which of them are alive.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.trace import Trace
from steiner.server.generations.readable import Endpoint

Limit = Literal["retention_s", "max_retained", "max_retained_bytes"]

StoreState = Literal["closed", "working", "failing"]
"""closed: not needed so far, or not loaded yet."""

MAX_TOMBSTONES = 10_000
"""The most dropped generations that a store remembers; the oldest are forgotten first."""

# Higher levels save another tenth but take several times as long.
LEVEL = 1


class StoreError(Exception):
    """The store cannot be used at the moment, or at all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive events of one generation, numbered `first` to `last`, as `encoding` writes them."""

    first: int
    last: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A generation without its events.

    Attributes:
        process: name of the server that runs it, or ran it.
        first: number of the oldest event that is kept; above `last` where none is.
        last: number of the newest event that is kept; 0 before the first.
        usage: its token counts so far, by their names in the event `usage`.
        finished_at: seconds of Unix time; None while it runs.
        trace: as `encoding` writes it; empty while it runs.
    """

    id: str
    owner: str
    model: str
    created: int
    endpoint: Endpoint
    process: str
    request: dict[str, Any] = field(default_factory=dict)
    first: int = 1
    last: int = 0
    usage: dict[str, int] = field(default_factory=dict)
    finished_at: float | None = None
    trace: bytes = b""


@dataclass(frozen=True, slots=True)
class Save:
    """A record as it now is, and the chunks that are new.

    Attributes:
        is_first: the store does not have the record yet.
    """

    record: Record
    chunks: Sequence[Chunk] = ()
    is_first: bool = False

    @property
    def num_bytes(self) -> int:
        """Bytes of everything in it that may be long."""
        return sum(len(chunk.data) for chunk in self.chunks) + len(self.record.trace)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A finished generation that was dropped, and the limit that it exceeded."""

    id: str
    owner: str
    limit: Limit


@dataclass(frozen=True, slots=True)
class Limits:
    """How long finished generations are kept, how many, and how many bytes of them."""

    retention_s: float
    max_retained: int
    max_retained_bytes: int


class Store(Protocol):
    """Keeps records and chunks. Every method may raise StoreError."""

    async def open(self, process: str) -> None:
        """Connect, and count as alive under this name from now on."""

    async def close(self) -> None:
        """Disconnect. Whatever this process still runs then has no living process."""

    async def put(self, saves: Sequence[Save]) -> set[str]:
        """Save these, each completely or not at all.

        Returns:
            ids of those refused, because the record is finished already, or was removed.
        """

    async def get(self, generation_id: str) -> Record | Tombstone | None:
        """The record or its tombstone; None if there never was one, or it was removed."""

    async def read(self, generation_id: str, after: int) -> Sequence[Chunk]:
        """The next few chunks in order that hold events numbered above `after`; none at the end."""

    async def delete(self, generation_id: str) -> None:
        """Remove a generation without a trace."""

    async def expire(self, limits: Limits, now: float) -> int:
        """Drop finished generations beyond the limits, oldest first; returns how many."""

    async def request_stop(self, record: Record) -> None:
        """Ask the process that runs it to end it; that process' next `beat` returns the id."""

    async def beat(self) -> set[str]:
        """Show that this process is alive; returns the ids of its generations that others asked it to end."""

    async def is_alive(self, process: str) -> bool:
        """Whether a process of this name is alive."""

    async def orphans(self) -> Sequence[str]:
        """Ids of unfinished generations whose process is dead."""


def encode_chunk(events: Sequence[Event]) -> Chunk:
    """At least one event, consecutive ones."""
    lines = "\n".join(event.model_dump_json() for event in events)
    return Chunk(events[0].sequence_number, events[-1].sequence_number, zlib.compress(lines.encode(), LEVEL))


def decode_chunk(chunk: Chunk, after: int = 0) -> list[Event]:
    """The events of a chunk that are numbered above `after`."""
    lines = zlib.decompress(chunk.data).split(b"\n")
    # By position and not by parsing, because the events of a chunk have no gaps.
    return [EVENT_ADAPTER.validate_json(line) for line in lines[max(0, after + 1 - chunk.first) :]]


def encode_trace(trace: Trace) -> bytes:
    """A trace for a record."""
    return zlib.compress(trace.model_dump_json().encode(), LEVEL)


def decode_trace(data: bytes) -> Trace:
    """The trace of a record."""
    return Trace.model_validate_json(zlib.decompress(data))
