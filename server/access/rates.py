"""Requests and tokens of each caller per minute, counted in this process or in a Redis that replicas share.

A sliding window of two counters (the `limits` library's): the previous minute counts in proportion to how much
of it lies within the last sixty seconds. A prompt is counted before it runs, and its output as it is generated.
A running generation is never cut short, but what it uses is missing for the next request.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.base import SlidingWindowCounterSupport
from redis.asyncio import ConnectionPool

from steiner.server.access.keys import Caller, Quotas
from steiner.server.errors import InvalidRequest, RateLimited

logger = logging.getLogger(__name__)

Kind = Literal["requests", "tokens"]

WINDOW_S = 60
# A Redis that does not answer must not stop a request for longer than a person notices.
REDIS_TIMEOUT_S = 1.0
# A generation collects so many tokens before it counts them, to share one round trip.
TOKENS_AT_ONCE = 64
WARN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """What the last minute held, as the two counters give it.

    Attributes:
        previous: count of the window before this one, which still counts for `previous_s` more seconds.
        current: count of this one, which begins to leave after `current_s` seconds.
    """

    previous: int
    previous_s: float
    current: int
    current_s: float

    @property
    def used(self) -> int:
        """The weighted count, as the limit sees it."""
        return math.floor(self.previous * self.previous_s / WINDOW_S + self.current)

    def wait_s(self, limit: int, cost: int) -> float:
        """Seconds until `cost` more fit under `limit`, if nothing else comes; `cost` is at most `limit`."""
        room = limit - cost
        if self.used <= room:
            return 0.0
        if self.current <= room:
            return max(0.0, self.previous_s - (room - self.current) * WINDOW_S / self.previous)
        return self.current_s + WINDOW_S * (1 - room / self.current)


class Rates:
    """Counts what callers use, and refuses what would be too much.

    Args:
        quotas: the limits.
        redis_url: where the counts are kept; None for this process' memory.
    """

    def __init__(self, quotas: Quotas, redis_url: str | None = None) -> None:
        self._quotas = quotas
        storage: MemoryStorage | RedisStorage
        self._pool: ConnectionPool | None = None
        if redis_url is None:
            storage = MemoryStorage()
        else:
            self._pool = ConnectionPool.from_url(
                redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
            )
            storage = RedisStorage(
                f"async+{redis_url}",
                implementation="redispy",
                key_prefix="steiner",
                connection_pool=self._pool,  # type: ignore[arg-type]
            )
        failures = storage.base_exceptions
        several = failures if isinstance(failures, tuple) else (failures,)
        self._failures: tuple[type[Exception], ...] = (OSError, *several)
        # Both storages are of this kind; their common base class does not say so.
        self._windows = cast(SlidingWindowCounterSupport, storage)
        self._tasks: set[asyncio.Task[None]] = set()
        self._warned_at = -math.inf

    async def take(self, caller: Caller, kind: Kind, cost: int, param: str | None = None) -> dict[str, str]:
        """Count `cost` requests or tokens. Returns OpenAI's headers for this limit, or none without a limit.

        Args:
            param: the field that costs so much, for a refusal.

        Raises:
            RateLimited: they would exceed the caller's limit now; nothing is counted.
            InvalidRequest: they alone exceed the limit.
        """
        limit = self._limit(caller, kind)
        if not limit:
            return {}
        if cost > limit:
            raise InvalidRequest(
                f"the prompt has {cost} tokens, and {caller.name} may take {limit} {kind} a minute, so it never fits; "
                "shorten it",
                param=param,
                code="context_length_exceeded",
            )
        key = _key(caller, kind, limit)
        try:
            taken = await self._windows.acquire_sliding_window_entry(key, limit, WINDOW_S, cost)
            window = await self._window(key)
        except self._failures as error:
            self._warn(error)
            return {}
        headers = _headers(kind, limit, window)
        if taken:
            return headers
        raise _refusal(caller, kind, limit, cost, window, headers)

    def spender(self, caller: Caller) -> Callable[[int, bool], None]:
        """Counts one generation's tokens; called with the total so far, and whether it has ended."""
        limit = self._limit(caller, "tokens")
        if not limit:
            return lambda _num_tokens, _ended: None
        num_counted = 0

        def spend(num_tokens: int, ended: bool) -> None:
            nonlocal num_counted
            cost = num_tokens - num_counted
            if cost and (ended or cost >= TOKENS_AT_ONCE):
                num_counted = num_tokens
                task = asyncio.get_running_loop().create_task(self._spend(caller, limit, cost))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        return spend

    async def close(self) -> None:
        """Count what is left, and disconnect from Redis."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._pool is not None:
            await self._pool.disconnect()

    async def _spend(self, caller: Caller, limit: int, cost: int) -> None:
        key = _key(caller, "tokens", limit)
        try:
            if not await self._windows.acquire_sliding_window_entry(key, limit, WINDOW_S, cost):
                # Beyond the limit the window is simply full: a long answer does not block the caller for many minutes.
                left = limit - (await self._window(key)).used
                if left > 0:
                    await self._windows.acquire_sliding_window_entry(key, limit, WINDOW_S, left)
        except self._failures as error:
            self._warn(error)

    def _limit(self, caller: Caller, kind: Kind) -> int:
        limits = self._quotas.limits_of(caller)
        return (limits.requests_per_minute if kind == "requests" else limits.tokens_per_minute) or 0

    async def _window(self, key: str) -> Window:
        previous, previous_s, current, expires_s = await self._windows.get_sliding_window(key, WINDOW_S)
        return Window(previous, previous_s, current, max(0.0, expires_s - WINDOW_S))

    def _warn(self, error: Exception) -> None:
        # A limit that cannot be counted must not stop the service that it protects.
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            logger.warning("rates are not limited at the moment, the Redis that counts them fails: %s", error)


def _key(caller: Caller, kind: Kind, limit: int) -> str:
    return RateLimitItemPerMinute(limit, namespace="rates").key_for(caller.name, kind)


def _headers(kind: Kind, limit: int, window: Window) -> dict[str, str]:
    used = min(window.used, limit)
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(limit - used),
        f"x-ratelimit-reset-{kind}": _duration(window.wait_s(limit, limit) if used else 0.0),
    }


def _duration(seconds: float) -> str:
    """Go's notation, as OpenAI's headers have it: 850ms, 12s, 1m30s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _refusal(
    caller: Caller, kind: Kind, limit: int, cost: int, window: Window, headers: dict[str, str]
) -> RateLimited:
    retry_after_s = max(1, math.ceil(window.wait_s(limit, cost)))
    error = RateLimited(
        f"{caller.name} may take {limit} {kind} a minute, has taken {window.used} and asks for {cost} more; "
        f"try again in {retry_after_s} s",
        kind=kind,
        reason=f"{kind}_per_minute",
        retry_after_s=retry_after_s,
    )
    error.headers |= headers
    return error
