"""The generations that can be read: those of this process, and those that the store has."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence

from steiner.server.errors import Gone
from steiner.server.generations.archive import Archive
from steiner.server.generations.generation import Generation
from steiner.server.generations.readable import Readable
from steiner.server.generations.recorder import Recorder
from steiner.server.generations.store import store_of
from steiner.server.generations.store.base import Limit, Limits, StoreState, Tombstone
from steiner.server.generations.stored_generation import Followers, StoredGeneration
from steiner.server.settings import Settings


class Generations:
    """Starts, looks up, removes and drains.

    Args:
        settings: which store, and how much it keeps.
        count_store_error: called with the name of each operation of the store that failed.
    """

    def __init__(
        self,
        settings: Settings,
        count_store_error: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._count_store_error = count_store_error
        self._now = now
        self._opening = asyncio.Lock()
        self._archive: Archive | None = None
        self._recorder: Recorder | None = None
        self._running: dict[str, Generation] = {}
        self._kept: dict[str, Generation] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._followers = Followers()

    async def open(self) -> None:
        """Open the store if it is not open, and end what dead processes left in it.

        Raises:
            StoreError: it cannot be used; the message says what to do.
        """
        async with self._opening:
            if self._archive is None:
                await self._open()

    async def start(self, generation: Generation, *, retain: bool) -> None:
        """Start and follow a generation. With `retain` it can be found by its id, even after it has finished.

        Raises:
            StoreError: the store was never open and cannot be opened.
        """
        recorder, read_back = None, None
        if retain:
            archive, recorder = await self._opened()
            read_back = archive.read
            self._kept[generation.id] = generation
        self._running[generation.id] = generation
        generation.start(read_back)
        if recorder is not None:
            recorder.add(generation)
        watcher = asyncio.get_running_loop().create_task(self._follow(generation))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def until_shared(self, generations: Sequence[Generation]) -> None:
        """Return when other replicas can find them too, because a client that gets an id may ask there at once.

        Does not wait if there are no other replicas, or nothing is retained.
        """
        if self._recorder is not None and self._settings.store == "redis":
            await asyncio.gather(*(self._recorder.until_registered(one.id) for one in generations))

    async def find(self, generation_id: str, owner: str) -> Readable | None:
        """The generation of this id and owner, running or still kept; chat completions are not.

        Raises:
            Gone: there was one, and it is no longer kept.
            NotReady: the store does not answer.
        """
        here = self._kept.get(generation_id)
        if here is not None:
            return here if here.owner == owner else None
        archive, _ = await self._opened()
        found = await archive.get(generation_id)
        if found is None or found.owner != owner:
            return None
        if isinstance(found, Tombstone):
            raise self._gone(generation_id, found.limit)
        if found.finished_at is None:
            trace = await archive.trace_so_far(generation_id)
            return StoredGeneration(found, archive, self._followers, trace)
        if found.finished_at <= self._now() - self._settings.retention_s:
            raise self._gone(generation_id, "retention_s")
        return StoredGeneration(found, archive, self._followers)

    async def remove(self, generation_id: str) -> None:
        """Forget a finished generation.

        Raises:
            NotReady: the store does not answer.
        """
        archive, recorder = await self._opened()
        recorder.forget(generation_id)
        await archive.delete(generation_id)
        self._kept.pop(generation_id, None)

    @property
    def store_state(self) -> StoreState:
        """Whether generations are being saved at the moment."""
        if self._archive is None or self._recorder is None:
            return "closed"
        return "failing" if self._recorder.is_failing else "working"

    @property
    def num_running(self) -> int:
        """Generations that have not finished."""
        return len(self._running)

    @property
    def running(self) -> tuple[Generation, ...]:
        """Those that have not finished, in the order of their start."""
        return tuple(self._running.values())

    async def drain(self, timeout_s: float) -> int:
        """Give the running ones `timeout_s` to finish, then cancel the rest; returns how many were cancelled.

        Streams of other replicas' generations that are read here get the same time. Their readers can resume there.
        """
        begin_s = time.monotonic()
        if self._watchers:
            await asyncio.wait(set(self._watchers), timeout=timeout_s)
        await self._followers.gone(max(0.0, timeout_s - (time.monotonic() - begin_s)))
        late = list(self._running.values())
        for generation in late:
            generation.cancel()
        if self._watchers:
            await asyncio.wait(set(self._watchers))
        return len(late)

    async def close(self) -> None:
        """Save what is not saved yet, and close the store."""
        if self._archive is None or self._recorder is None:
            return
        await self._recorder.close()
        await self._archive.close()
        self._archive = None

    async def _open(self) -> None:
        settings = self._settings
        process = uuid.uuid4().hex
        store = store_of(settings)
        await store.open(process)
        limits = Limits(settings.retention_s, settings.max_retained, settings.max_retained_bytes)
        archive = Archive(store, process, self._count_store_error, self._now)
        await archive.clear(limits)
        self._recorder = Recorder(
            archive,
            limits,
            max_unsaved_bytes=settings.max_unsaved_bytes,
            on_saved=self._let_go,
            stop=self._stop,
            count_failure=lambda: self._count_store_error("record"),
        )
        self._recorder.open()
        self._archive = archive

    async def _opened(self) -> tuple[Archive, Recorder]:
        if self._archive is None:
            await self.open()
        assert self._archive is not None
        assert self._recorder is not None
        return self._archive, self._recorder

    def _let_go(self, generation: Generation) -> None:
        self._kept.pop(generation.id, None)

    def _stop(self, generation_id: str) -> None:
        generation = self._running.get(generation_id)
        if generation is not None:
            generation.cancel()

    def _gone(self, generation_id: str, limit: Limit) -> Gone:
        settings = self._settings
        reasons = {
            "retention_s": f"for {settings.retention_s:g} s",
            "max_retained": f"up to a number of {settings.max_retained}",
            "max_retained_bytes": f"up to {settings.max_retained_bytes} bytes",
        }
        return Gone(
            f"generation {generation_id!r} is gone: finished ones are kept {reasons[limit]} ({limit}), and "
            "the oldest go first; save what you need when it is done",
            param="id",
            code="generation_gone",
        )

    async def _follow(self, generation: Generation) -> None:
        await generation.wait()
        self._running.pop(generation.id, None)
        if self._recorder is not None and generation.id in self._kept:
            self._recorder.wake()
