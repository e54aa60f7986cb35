"""A generation that this process does not run: finished, or running at another replica.

Its readers are counted, so that a server that drains also lets them finish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from steiner.reasoning.events import TERMINAL_TYPES, Event
from steiner.reasoning.trace import Trace
from steiner.server.errors import NotReady
from steiner.server.generations.archive import MAX_UNSAVED, Archive
from steiner.server.generations.readable import Endpoint
from steiner.server.generations.store.base import Record, decode_trace

FOLLOWERS_POLL_S = 0.05
# A reader looks for news several times a second. One that is gone stops looking.
QUIET_S = 1.0

# How often to look for news of another replica's generation, which is saved about twice a second.
POLL_S = 0.1
STOP_TIMEOUT_S = 20.0


class Followers:
    """When a reader last looked for news of another replica's generation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at: float | None = None

    def look(self) -> None:
        """Note that a reader of a running generation is here, and waits for more."""
        self._looked_at = self._clock()

    @property
    def are_here(self) -> bool:
        """Whether any reader has looked recently."""
        return self._looked_at is not None and self._clock() - self._looked_at < QUIET_S

    async def gone(self, timeout_s: float) -> bool:
        """Wait until nobody follows any more; False if somebody still does after `timeout_s`."""
        deadline = self._clock() + timeout_s
        while self.are_here:
            if self._clock() >= deadline:
                return False
            await asyncio.sleep(FOLLOWERS_POLL_S)
        return True


class StoredGeneration:
    """`Readable` from the store.

    Args:
        record: as the store had it a moment ago.
        followers: notes who reads its stream while it runs.
        trace: so far, if it has not finished.
    """

    def __init__(
        self, record: Record, archive: Archive, followers: Followers, trace: Trace | None = None
    ) -> None:
        self._record = record
        self._archive = archive
        self._followers = followers
        self._trace = trace

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def owner(self) -> str:
        return self._record.owner

    @property
    def model(self) -> str:
        return self._record.model

    @property
    def created(self) -> int:
        return self._record.created

    @property
    def finished_at(self) -> float | None:
        return self._record.finished_at

    @property
    def endpoint(self) -> Endpoint:
        return self._record.endpoint

    @property
    def request(self) -> dict[str, Any]:
        return self._record.request

    @property
    def finished(self) -> bool:
        return self._record.finished_at is not None

    @property
    def first_sequence_number(self) -> int:
        return self._record.first

    @property
    def last_sequence_number(self) -> int:
        return self._record.last

    @property
    def max_seen(self) -> int:
        return self._record.last + (0 if self.finished else MAX_UNSAVED)

    @property
    def trace(self) -> Trace:
        if self._trace is None:
            self._trace = decode_trace(self._record.trace)
        return self._trace

    async def events(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Every event above `after`; while it runs, as its process saves them."""
        position = after
        while True:
            was_finished = self.finished
            if not was_finished:
                self._followers.look()
            events = await self._archive.read(self.id, position)
            if events:
                is_end = events[-1].type in TERMINAL_TYPES
                if is_end and not was_finished:
                    # A reader of the end may ask when that was.
                    await self._refresh()
                yield events
                position = events[-1].sequence_number
                if is_end:
                    return
            elif was_finished or not await self._refresh():
                return
            elif not self.finished:
                await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """Have its process end it, and wait until it has.

        Raises:
            NotReady: it has not ended in time.
        """
        if self.finished:
            return
        await self._archive.request_stop(self._record)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while await self._refresh() and not self.finished:
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise NotReady(
                f"the replica that runs {self.id} has not ended it in {STOP_TIMEOUT_S:g} s; ask again",
                code="not_stopped",
            ) from None

    async def _refresh(self) -> bool:
        """Look again; False if it is gone."""
        found = await self._archive.get(self.id)
        if not isinstance(found, Record):
            return False
        self._record = found
        return True
