"""Answers that are given up when the client leaves before they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

Answer = TypeVar("Answer")


async def until_disconnect(answer: Awaitable[Answer], request: Request, cancel: Callable[[], None]) -> Answer:
    """The answer; if the client leaves before, `cancel` ends what makes it, and nobody reads this."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await answer
    finally:
        watcher.cancel()
        cancel()
