"""Saves the events of generations: in batches, a few times a second, never one token at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Callable

from steiner.server.errors import NotReady
from steiner.server.generations.archive import Archive
from steiner.server.generations.generation import Generation
from steiner.server.generations.store.base import Limits, Record, Save, StoreError, encode_trace

logger = logging.getLogger(__name__)

# The most that a killed process loses of its streams.
SAVE_INTERVAL_S = 0.5
BEAT_INTERVAL_S = 2.0
CLEAR_INTERVAL_S = 30.0
# A store that does not answer holds up streams no longer than this.
MAX_REGISTRATION_S = 1.0
# Limits on finished generations are enforced soon, but not at every single end.
MIN_CLEAR_INTERVAL_S = 1.0


class Recording:
    """One generation, and how much of it is saved."""

    def __init__(self, generation: Generation, process: str) -> None:
        # Here the error reaches whoever started the generation. Later it would break every save.
        json.dumps(generation.request)
        self.generation = generation
        self.is_saved = False
        self.registration = asyncio.Event()
        """Set when the store knows it, or when trying has failed."""
        self._process = process
        self._num_saved = 0
        self._is_first = True

    @property
    def is_urgent(self) -> bool:
        """Whether it must not wait for the next round: the store does not know of it, or of its end."""
        return self._is_first or self.generation.finished

    def next_save(self) -> Save | None:
        """What is new; None for nothing."""
        generation = self.generation
        buffer = generation.buffer
        is_finished = generation.finished
        if not (self._is_first or is_finished or buffer.last > self._num_saved):
            return None
        buffer.encode()
        record = Record(
            id=generation.id,
            owner=generation.owner,
            model=generation.model,
            created=generation.created,
            endpoint=generation.endpoint,
            process=self._process,
            request=generation.request,
            first=generation.first_sequence_number,
            last=buffer.last,
            usage=generation.usage,
            finished_at=generation.finished_at,
            trace=encode_trace(generation.trace) if is_finished else b"",
        )
        return Save(record, buffer.chunks, self._is_first)

    def begin_again(self) -> None:
        """The store has lost its copy, so only what is in memory is left."""
        self._is_first = True
        buffer = self.generation.buffer
        buffer.num_lost = buffer.first - 1

    def took(self, save: Save) -> None:
        """The store has it."""
        self._is_first = False
        self._num_saved = save.record.last
        self.is_saved = save.record.finished_at is not None
        self.generation.buffer.release(save.record.last)


class Recorder:
    """Saves the generations it is given until they have ended.

    Args:
        limits: what the store may keep of finished ones.
        max_unsaved_bytes: of memory for events that the store does not have; beyond it, events of the oldest
            finished ones are lost first.
        on_saved: called with each generation whose end is in the store.
        stop: called with the id of a generation that another process was asked to end.
        count_failure: called if saving itself failed, and not the store.
    """

    def __init__(
        self,
        archive: Archive,
        limits: Limits,
        *,
        max_unsaved_bytes: int,
        on_saved: Callable[[Generation], None],
        stop: Callable[[str], None],
        count_failure: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive = archive
        self._limits = limits
        self._max_unsaved_bytes = max_unsaved_bytes
        self._on_saved = on_saved
        self._stop = stop
        self._count_failure = count_failure
        self._clock = clock
        self._recordings: dict[str, Recording] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_failing = False
        self._cleared_at = clock()
        self._has_finished = False

    def add(self, generation: Generation) -> None:
        """Record this generation from now on. It is registered at once."""
        self._recordings[generation.id] = Recording(generation, self._archive.process)
        self._woken.set()

    async def until_registered(self, generation_id: str) -> None:
        """Return when the store knows this generation, does not answer, or takes too long."""
        recording = self._recordings.get(generation_id)
        if recording is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_REGISTRATION_S):
                await recording.registration.wait()

    def wake(self) -> None:
        """A generation has ended: save it now."""
        self._woken.set()

    def forget(self, generation_id: str) -> None:
        """Stop saving this generation."""
        self._recordings.pop(generation_id, None)

    def open(self) -> None:
        """Save from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recorder")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Save what is not saved yet, then stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.save()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (mistake := task.exception()) is None:
            return
        # If saving stopped, memory would grow, and one generation that cannot be saved would take all others with it.
        log = logger.debug if self.is_failing else logger.critical
        log("generations could not be saved; it is tried again", exc_info=mistake)
        self.is_failing = True
        self._count_failure()
        self._bound_memory()
        self.open()

    async def _run(self) -> None:
        # The last beat may have been long ago, because something may have held up the loop.
        saved_at, beaten_at = self._clock(), -math.inf
        while True:
            try:
                async with asyncio.timeout(SAVE_INTERVAL_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            # Before anything is saved: other servers take a process that has been silent for long to be dead, and they
            # end what it runs.
            if self._clock() - beaten_at >= BEAT_INTERVAL_S:
                beaten_at = self._clock()
                await self._beat()
            is_round = self._clock() - saved_at >= SAVE_INTERVAL_S
            if is_round:
                saved_at = self._clock()
            await self.save(only_urgent=not is_round)
            await self._clear()

    async def save(self, *, only_urgent: bool = False) -> None:
        """Save what is new of every generation; a store that fails is tried again next time."""
        saves: dict[str, Save] = {}
        for generation_id, recording in list(self._recordings.items()):
            if recording.is_urgent or not only_urgent:
                save = recording.next_save()
                if save is not None:
                    saves[generation_id] = save
                    # Hundreds at once would hold up every stream for many milliseconds.
                    await asyncio.sleep(0)
        # Some may have been removed meanwhile.
        saves = {name: save for name, save in saves.items() if name in self._recordings}
        if not saves:
            return
        recordings = [self._recordings[name] for name in saves]
        try:
            refused = await self._archive.put(list(saves.values()))
        except StoreError as error:
            self._failed(error)
            self._bound_memory()
            return
        finally:
            for recording in recordings:
                recording.registration.set()
        self._works()
        for generation_id, save in saves.items():
            saved = self._recordings.get(generation_id)
            if saved is None:
                continue
            if generation_id in refused:
                await self._refused(saved)
                continue
            saved.took(save)
            if saved.is_saved:
                self._has_finished = True
                self.forget(generation_id)
                self._on_saved(saved.generation)

    async def _refused(self, recording: Recording) -> None:
        """The store forgot the generation and gets what is left, or it already has an end, which then stands."""
        generation = recording.generation
        try:
            found = await self._archive.get(generation.id)
        except NotReady:
            return
        if found is None:
            logger.warning("the store has lost generation %s; it is saved from here on", generation.id)
            recording.begin_again()
        elif generation.finished:
            logger.warning("generation %s had another end in the store; that stands", generation.id)
            self.forget(generation.id)
            self._on_saved(generation)

    async def _beat(self) -> None:
        try:
            for generation_id in await self._archive.beat():
                self._stop(generation_id)
            if not self._recordings:
                self._works()
        except StoreError as error:
            self._failed(error)

    async def _clear(self) -> None:
        waited_s = self._clock() - self._cleared_at
        if waited_s < (MIN_CLEAR_INTERVAL_S if self._has_finished else CLEAR_INTERVAL_S):
            return
        self._cleared_at, self._has_finished = self._clock(), False
        try:
            await self._archive.clear(self._limits)
        except StoreError as error:
            self._failed(error)

    def _bound_memory(self) -> None:
        """Lose events that could not be saved, beyond the limit; of running ones last."""
        recordings = sorted(
            self._recordings.values(), key=lambda recording: not recording.generation.finished
        )
        total = sum(recording.generation.buffer.num_bytes for recording in recordings)
        for recording in recordings:
            if total <= self._max_unsaved_bytes:
                return
            buffer = recording.generation.buffer
            before = buffer.num_bytes
            buffer.encode()
            buffer.shrink(max(0, before - (total - self._max_unsaved_bytes)))
            total -= before - buffer.num_bytes

    def _failed(self, error: StoreError) -> None:
        # Once for each outage, because saving is tried twice a second.
        log = logger.debug if self.is_failing else logger.error
        self.is_failing = True
        log("%s; generations go on and are saved when it answers again", error)

    def _works(self) -> None:
        if self.is_failing:
            logger.info("generations are saved again")
        self.is_failing = False
