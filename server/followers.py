"""Readers of streams that another replica makes: a server that drains lets them finish, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.05
# A reader looks for news several times a second. One that has gone without a word looks no more.
QUIET_S = 1.0


class Followers:
    """When somebody last looked for news of another replica's generation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at: float | None = None

    def look(self) -> None:
        """A reader of a running one is here, and waits for more."""
        self._looked_at = self._clock()

    @property
    def are_here(self) -> bool:
        """Whether any has looked of late."""
        return self._looked_at is not None and self._clock() - self._looked_at < QUIET_S

    async def gone(self, timeout_s: float) -> bool:
        """Until nobody follows any more; False where somebody still does after so long."""
        deadline = self._clock() + timeout_s
        while self.are_here:
            if self._clock() >= deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True
