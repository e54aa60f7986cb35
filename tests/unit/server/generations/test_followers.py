"""A drain waits for readers who look for news, and for nobody who has left without a word."""

from __future__ import annotations

import asyncio

from steiner.server.generations.stored_generation import QUIET_S, Followers


async def test_nobody_is_waited_for_where_nobody_is() -> None:
    assert await Followers(lambda: 0.0).gone(0.0)


async def test_who_looks_is_waited_for_until_he_stops_or_time_is_up() -> None:
    now = 0.0
    followers = Followers(lambda: now)
    followers.look()
    assert followers.are_here
    assert not await followers.gone(0.0)
    waiting = asyncio.create_task(followers.gone(60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    now += QUIET_S
    assert not followers.are_here
    assert await waiting
