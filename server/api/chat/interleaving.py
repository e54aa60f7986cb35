"""Several streams read as one. Each piece has the number of its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeVar

Piece = TypeVar("Piece")


async def interleaved(streams: Sequence[AsyncIterator[Piece]]) -> AsyncGenerator[tuple[int, Piece], None]:
    """Pieces as they come: in order within a stream, and one at a time, so that a slow reader slows them all."""
    if len(streams) == 1:
        async for piece in streams[0]:
            yield 0, piece
        return
    waiting = {asyncio.ensure_future(anext(stream)): index for index, stream in enumerate(streams)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                index = waiting.pop(task)
                try:
                    piece = task.result()
                except StopAsyncIteration:
                    continue
                waiting[asyncio.ensure_future(anext(streams[index]))] = index
                yield index, piece
    finally:
        for task in waiting:
            task.cancel()
