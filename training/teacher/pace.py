"""When the next call may go, so that the teacher has no reason to refuse it.

Requests and tokens a minute are counted on our side. After a failure that may pass, a call waits and is sent again.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import openai

MINUTE_S = 60.0

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
REFUSES_ONE_REQUEST = (400, 413, 422)
"""Statuses that say something of this request, and nothing of the next."""


@dataclass(slots=True)
class Turn:
    """One request; `num_tokens` may be corrected when it is known."""

    at_s: float
    num_tokens: int


@dataclass(slots=True)
class Pace:
    """No 60 seconds see more requests or tokens than allowed; who comes first goes first.

    A request that is larger than the tokens of a minute goes alone. After `pause` nobody goes for a while.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _turns: deque[Turn] = field(default_factory=deque)
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _paused_until_s: float = 0.0

    async def turn(self, num_tokens: int) -> Turn:
        """Wait until a request of so many tokens, prompt and completion, may go."""
        async with self._line:
            while (wait_s := self._wait_s(num_tokens)) > 0:
                await self.sleep(wait_s)
            turn = Turn(self.clock(), num_tokens)
            self._turns.append(turn)
            return turn

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long."""
        self._paused_until_s = max(self._paused_until_s, self.clock() + seconds)

    def _wait_s(self, num_tokens: int) -> float:
        now_s = self.clock()
        while self._turns and self._turns[0].at_s <= now_s - MINUTE_S:
            self._turns.popleft()
        if now_s < self._paused_until_s:
            return self._paused_until_s - now_s
        if not self._turns:
            return 0.0
        full = self.requests_per_minute is not None and len(self._turns) >= self.requests_per_minute
        if self.tokens_per_minute is not None:
            used = sum(turn.num_tokens for turn in self._turns)
            full = full or used + num_tokens > self.tokens_per_minute
        return self._turns[0].at_s + MINUTE_S - now_s if full else 0.0


def may_pass(error: openai.APIError) -> bool:
    """Whether the same request may be answered later: refused for load, failed, or not reached."""
    if error.code == "insufficient_quota":
        return False
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def doubled_wait_s(tries: int, jitter: random.Random) -> float:
    """Seconds after so many tries: 1, 2, 4 up to 60, give or take a quarter."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tries) * jitter.uniform(0.75, 1.25)


def told_wait_s(error: openai.APIError) -> float | None:
    """Seconds of `retry-after-ms` or `Retry-After` (RFC 9110, 10.2.3: a number or a date), None without either."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit_s)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None
