"""Who runs, who waits, who is turned away: the places that generations hold on the engine.

At most `max_running` generations run. The others wait. Each caller's generations go in order, and callers take
turns, so that a caller with a hundred requests does not block a caller with one. If `max_queued` already wait, or
a caller holds as many places as it may, a new one is refused with 429 and an estimate of when to come back. All
of this happens on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from steiner.server.access.keys import Caller
from steiner.server.errors import InvalidRequest, RateLimited

# The guess before any generation has finished, and how much the newest one counts in the average.
FIRST_GUESS_S = 10.0
NEWEST_COUNTS = 0.1
LONGEST_RETRY_S = 600


class TurnedAway(Exception):
    """A waiting generation will not run; `code` says why, the message what to do."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Place:
    """One generation's right to run: waited for in `turn`, given back with `release`."""

    def __init__(self, admission: Admission, caller: Caller) -> None:
        self.caller = caller
        self.granted_at: float | None = None
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._admission = admission

    async def turn(self) -> None:
        """Until the generation may run.

        Raises:
            TurnedAway: it waited too long, or the server is shutting down.
        """
        await self._admission.wait_for(self)

    def release(self) -> None:
        """Leave the engine or the queue; a second call does nothing."""
        self._admission.release(self)


class Admission:
    """The places of one engine.

    Args:
        max_running: generations that run at once.
        max_queued: generations that wait at most.
        max_wait_s: longest wait.
        max_concurrent: how many a caller may have, running and waiting together; 0 is no limit.
        on_wait: called with the seconds that each generation waited, when its turn comes.
    """

    def __init__(
        self,
        *,
        max_running: int,
        max_queued: int,
        max_wait_s: float,
        max_concurrent: Callable[[Caller], int],
        on_wait: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_running = max_running
        self._max_queued = max_queued
        self._max_wait_s = max_wait_s
        self._max_concurrent = max_concurrent
        self._on_wait = on_wait
        self._clock = clock
        self._running: set[Place] = set()
        self._waiting: OrderedDict[Caller, deque[Place]] = OrderedDict()
        self._held: Counter[Caller] = Counter()
        self._average_s = FIRST_GUESS_S

    @property
    def num_running(self) -> int:
        """Generations that have a place on the engine."""
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        """Generations in the queue."""
        return sum(map(len, self._waiting.values()))

    @property
    def estimated_wait_s(self) -> int:
        """Whole seconds until everyone who waits now has had a turn, at the present pace; at least 1."""
        pace_s = self._average_s / self._max_running
        return min(LONGEST_RETRY_S, max(1, math.ceil((self.num_waiting + 1) * pace_s)))

    def check(self, caller: Caller, count: int) -> None:
        """Refuse a request that asks for more places than it could ever have.

        Raises:
            InvalidRequest: it does, so waiting for others to end would not help.
        """
        allowed = self._max_concurrent(caller)
        if allowed and count > allowed:
            limit = f"{allowed}, the generations that {caller.name} may have at once"
        elif count > self._max_running + self._max_queued:
            limit = (
                f"{self._max_running + self._max_queued}, the generations that this server runs "
                f"({self._max_running}) and lets wait ({self._max_queued}) at once"
            )
        else:
            return
        raise InvalidRequest(
            f"n ({count}) is above {limit}; lower it or send several requests",
            param="n",
            code="invalid_value",
        )

    def enter(self, caller: Caller, count: int = 1) -> list[Place]:
        """Places for `count` generations of one request: all of them, or none.

        Raises:
            InvalidRequest: so many can never run and wait at once.
            RateLimited: the queue is full, or the caller would hold more than it may.
        """
        self.check(caller, count)
        allowed = self._max_concurrent(caller)
        if allowed and self._held[caller] + count > allowed:
            raise RateLimited(
                f"{caller.name} has {self._held[caller]} generations running or waiting and asks for {count} "
                f"more; its limit is {allowed} at once; wait until one ends",
                kind="requests",
                reason="concurrency",
                retry_after_s=max(1, math.ceil(self._average_s / max(1, self._held[caller]))),
            )
        num_free = max(0, self._max_running - self.num_running) if not self._waiting else 0
        if count - num_free > self._max_queued - self.num_waiting:
            raise RateLimited(
                f"the server runs {self.num_running} generations and {self.num_waiting} wait; {count} more "
                f"exceed its queue of {self._max_queued}; send the request again later",
                kind="server_error",
                code="queue_full",
                reason="queue_full",
                retry_after_s=self.estimated_wait_s,
            )
        places = [Place(self, caller) for _ in range(count)]
        self._held[caller] += count
        for place in places:
            self._waiting.setdefault(caller, deque()).append(place)
        self._advance()
        return places

    async def wait_for(self, place: Place) -> None:
        """Until it is this place's turn; see `Place.turn`."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._max_wait_s):
                await place.granted
        except TimeoutError as error:
            raise TurnedAway(
                f"the request waited {self._max_wait_s:g} s for its turn, the server's limit; send it again later",
                "queue_timeout",
            ) from error
        self._on_wait(self._clock() - began)

    def release(self, place: Place) -> None:
        """Take a place back, from the engine or out of the queue."""
        if place in self._running:
            self._running.discard(place)
            if place.granted_at is not None:
                took_s = self._clock() - place.granted_at
                self._average_s += NEWEST_COUNTS * (took_s - self._average_s)
        elif place in self._waiting.get(place.caller, ()):
            self._leave_queue(place)
        else:
            return
        self._held[place.caller] -= 1
        if not self._held[place.caller]:
            del self._held[place.caller]
        place.granted.cancel()
        self._advance()

    def turn_away_waiting(self) -> None:
        """Turn everyone away who still waits: the server is shutting down."""
        for places in self._waiting.values():
            for place in places:
                if not place.granted.done():
                    place.granted.set_exception(
                        TurnedAway("the server is shutting down; send the request elsewhere", "draining")
                    )
                    # A generation that was cancelled meanwhile never looks.
                    place.granted.exception()

    def _leave_queue(self, place: Place) -> None:
        places = self._waiting[place.caller]
        places.remove(place)
        if not places:
            del self._waiting[place.caller]

    def _advance(self) -> None:
        while self._waiting and len(self._running) < self._max_running:
            caller, places = next(iter(self._waiting.items()))
            place = places[0]
            self._leave_queue(place)
            if caller in self._waiting:
                self._waiting.move_to_end(caller)
            self._running.add(place)
            place.granted_at = self._clock()
            if not place.granted.done():
                place.granted.set_result(None)
