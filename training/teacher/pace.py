"""Requests and tokens a minute, kept on our side, so that the teacher has no reason to refuse."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MINUTE_S = 60.0


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
