"""Readers of streams that another replica makes: a server that drains lets them finish, too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Followers:
    """How many there are, and when there are none."""

    def __init__(self) -> None:
        self._num = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """There is one more inside of the block."""
        self._num += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._num -= 1
            if self._num == 0:
                self._nobody.set()

    async def gone(self, timeout_s: float) -> bool:
        """Until nobody follows any more; False where somebody still does after so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._nobody.wait()
        except TimeoutError:
            return False
        return True
