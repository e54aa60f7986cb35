"""The generations of this process: running ones, and finished ones for as long as they may be read."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from steiner.server.generation import Generation
from steiner.server.readable import Readable


class Generations:
    """Looks up, retains, cancels and drains.

    Args:
        retention_s: how long a finished generation stays readable.
        max_retained: finished ones kept at most; the oldest go first.
    """

    def __init__(
        self, *, retention_s: float, max_retained: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._retention_s = retention_s
        self._max_retained = max_retained
        self._clock = clock
        self._running: dict[str, Generation] = {}
        self._finished: OrderedDict[str, tuple[float, Generation]] = OrderedDict()
        self._watchers: set[asyncio.Task[None]] = set()

    def start(self, generation: Generation, *, retain: bool) -> None:
        """Start and follow a generation; with `retain` it can be found by its id, also when finished."""
        self._running[generation.id] = generation
        generation.start()
        watcher = asyncio.get_running_loop().create_task(self._follow(generation, retain=retain))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def find(self, generation_id: str, owner: str) -> Readable | None:
        """The generation of this id and owner, running or still kept; chat completions are not."""
        self._forget_old()
        kept = self._finished.get(generation_id)
        generation = self._running.get(generation_id) or (kept[1] if kept else None)
        return generation if generation is not None and generation.owner == owner else None

    async def remove(self, generation_id: str) -> None:
        """Forget a finished generation."""
        self._running.pop(generation_id, None)
        self._finished.pop(generation_id, None)

    @property
    def num_running(self) -> int:
        """Generations that have not finished."""
        return len(self._running)

    async def drain(self, timeout_s: float) -> int:
        """Let the running ones finish for `timeout_s`, then cancel the rest; gives the number of those."""
        if self._watchers:
            await asyncio.wait(set(self._watchers), timeout=timeout_s)
        late = list(self._running.values())
        for generation in late:
            generation.cancel()
        if self._watchers:
            await asyncio.wait(set(self._watchers))
        return len(late)

    async def _follow(self, generation: Generation, *, retain: bool) -> None:
        await generation.wait()
        removed = self._running.pop(generation.id, None) is None
        if retain and not removed and self._max_retained:
            self._finished[generation.id] = (self._clock(), generation)
            self._forget_old()

    def _forget_old(self) -> None:
        horizon = self._clock() - self._retention_s
        while self._finished:
            generation_id, (finished_at, _) = next(iter(self._finished.items()))
            if finished_at > horizon and len(self._finished) <= self._max_retained:
                return
            del self._finished[generation_id]
