"""The store as generations see it: events instead of bytes, and an ending for what a dead process left behind."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

from steiner.reasoning.events import Event, Failed, ReasoningStarted, Usage
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import trace_of
from steiner.server.errors import NotReady
from steiner.server.generations.store.base import (
    Limits,
    Record,
    Save,
    Store,
    StoreError,
    Tombstone,
    decode_chunk,
    encode_chunk,
    encode_trace,
)

logger = logging.getLogger(__name__)

MAX_UNSAVED = 10_000
"""Events that readers may have seen although the process died before it saved them.

The ending that such a generation gets is numbered after them, so that it is new to every reader.
"""
INTERRUPTED = "the server that ran this generation has ended; it can be sent again"


class Archive:
    """Reads and writes records.

    Args:
        store: where they are kept; open.
        process: name of this process.
        count_error: called with the name of each operation that failed.
    """

    def __init__(
        self,
        store: Store,
        process: str,
        count_error: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.process = process
        self._store = store
        self._count_error = count_error
        self._now = now

    async def get(self, generation_id: str) -> Record | Tombstone | None:
        """What the store has. A generation whose process died is ended first.

        Raises:
            NotReady: the store does not answer.
        """
        try:
            found = await self._store.get(generation_id)
            if not isinstance(found, Record) or found.finished_at is not None:
                return found
            if await self._store.is_alive(found.process):
                return found
            await self._end(found)
            return await self._store.get(generation_id)
        except StoreError as error:
            raise self._unavailable("get", error) from error

    async def read(self, generation_id: str, after: int) -> list[Event]:
        """Some of the next events above `after`; none at the end.

        Raises:
            NotReady: the store does not answer.
        """
        try:
            return await self._events(generation_id, after)
        except StoreError as error:
            raise self._unavailable("read", error) from error

    async def trace_so_far(self, generation_id: str) -> Trace:
        """The trace of the saved events, for a generation that has not finished.

        Raises:
            NotReady: the store does not answer.
        """
        try:
            return trace_of(await self._all_events(generation_id))
        except StoreError as error:
            raise self._unavailable("read", error) from error

    async def delete(self, generation_id: str) -> None:
        """Remove a generation.

        Raises:
            NotReady: the store does not answer.
        """
        try:
            await self._store.delete(generation_id)
        except StoreError as error:
            raise self._unavailable("delete", error) from error

    async def request_stop(self, record: Record) -> None:
        """Ask the process that runs it to end it.

        Raises:
            NotReady: the store does not answer.
        """
        try:
            await self._store.request_stop(record)
        except StoreError as error:
            raise self._unavailable("stop", error) from error

    async def put(self, saves: Sequence[Save]) -> set[str]:
        """`Store.put`, with its errors counted.

        Raises:
            StoreError: it may not be saved.
        """
        try:
            return await self._store.put(saves)
        except StoreError:
            self._count_error("put")
            raise

    async def beat(self) -> set[str]:
        """`Store.beat`, with its errors counted.

        Raises:
            StoreError: it did not work.
        """
        try:
            return await self._store.beat()
        except StoreError:
            self._count_error("beat")
            raise

    async def clear(self, limits: Limits) -> None:
        """End what dead processes left behind, and drop what is beyond the limits.

        Raises:
            StoreError: it did not work.
        """
        try:
            for generation_id in await self._store.orphans():
                found = await self._store.get(generation_id)
                if isinstance(found, Record) and found.finished_at is None:
                    await self._end(found)
            await self._store.expire(limits, self._now())
        except StoreError:
            self._count_error("expire")
            raise

    async def close(self) -> None:
        """Close the store."""
        try:
            await self._store.close()
        except StoreError as error:
            logger.warning("%s", error)

    async def _end(self, record: Record) -> None:
        """Give a generation its `usage` and `error`. If several processes try, one succeeds."""
        events = await self._all_events(record.id)
        number = record.last + MAX_UNSAVED
        ending: list[Event] = [
            Usage(sequence_number=number + 1, **(NO_USAGE | record.usage)),
            Failed(sequence_number=number + 2, message=INTERRUPTED, code="interrupted"),
        ]
        # Without its beginning, a stream does not give a tree.
        whole = bool(events) and isinstance(events[0], ReasoningStarted)
        trace = (
            trace_of([*events, *ending]) if whole else Trace(id=record.id, model=record.model, protocol="")
        )
        chunk = encode_chunk(ending)
        ended = dataclasses.replace(
            record, last=chunk.last, finished_at=self._now(), trace=encode_trace(trace)
        )
        await self._store.put([Save(ended, [chunk])])
        logger.warning("generation %s was interrupted: process %s has ended", record.id, record.process)

    async def _events(self, generation_id: str, after: int) -> list[Event]:
        chunks = await self._store.read(generation_id, after)
        return [event for chunk in chunks for event in decode_chunk(chunk, after)]

    async def _all_events(self, generation_id: str) -> list[Event]:
        events: list[Event] = []
        while more := await self._events(generation_id, events[-1].sequence_number if events else 0):
            events += more
        return events

    def _unavailable(self, operation: str, error: StoreError) -> NotReady:
        self._count_error(operation)
        logger.error("%s", error)
        return NotReady(
            "the store of finished generations does not answer at the moment; ask again",
            code="store_unavailable",
        )


NO_USAGE = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "reasoning_tokens": 0,
    "answer_tokens": 0,
    "forced_tokens": 0,
}
