"""Requests and tokens a minute: in memory and in a real Redis, alone and shared, and when Redis is gone."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.server.access.keys import ANONYMOUS, ApiKey, Caller, Limits, Quotas, hash_key
from steiner.server.access.rates import WINDOW_S, Rates, Window
from steiner.server.errors import InvalidRequest, RateLimited

ALICE, BOB = Caller("alice"), Caller("bob")
QUOTAS = Quotas(
    Limits(requests_per_minute=0, tokens_per_minute=0, max_concurrent=0),
    [ApiKey(name="alice", sha256=hash_key("a"), requests_per_minute=3, tokens_per_minute=1000)],
)


@pytest.fixture(params=["memory", "redis"])
async def rates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rates]:
    url = None
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
    else:
        # Its windows begin on whole minutes, and a test that crossed one would count afresh.
        monkeypatch.setattr(time, "time", lambda: 1_000_000_030.0)
    counting = Rates(QUOTAS, url)
    yield counting
    await counting.close()


async def test_requests_are_counted_up_to_the_limit(rates: Rates) -> None:
    remaining = [(await rates.take(ALICE, "requests", 1))["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    with pytest.raises(RateLimited) as refused:
        await rates.take(ALICE, "requests", 1)
    error = refused.value
    assert (error.status, error.type, error.code) == (429, "requests", "rate_limit_exceeded")
    assert error.reason == "requests_per_minute"
    assert "3 requests a minute" in error.message
    assert 1 <= int(error.headers["Retry-After"]) <= 120
    assert error.headers["x-ratelimit-limit-requests"] == "3"


async def test_without_a_limit_nothing_is_counted_or_said(rates: Rates) -> None:
    for caller in (BOB, ANONYMOUS):
        assert [await rates.take(caller, "requests", 1) for _ in range(9)] == [{}] * 9
        rates.spender(caller)(10**9, True)


async def test_what_is_refused_is_not_counted(rates: Rates) -> None:
    await rates.take(ALICE, "tokens", 900)
    for _ in range(3):
        with pytest.raises(RateLimited, match="900 and asks for 200 more"):
            await rates.take(ALICE, "tokens", 200)
    assert (await rates.take(ALICE, "tokens", 100))["x-ratelimit-remaining-tokens"] == "0"


async def test_what_can_never_fit_is_a_mistake_of_the_caller(rates: Rates) -> None:
    for _ in range(2):
        with pytest.raises(InvalidRequest, match=r"1001 tokens.*1000 tokens a minute.*never fits") as refused:
            await rates.take(ALICE, "tokens", 1001)
    assert refused.value.status == 400
    assert (await rates.take(ALICE, "tokens", 1000))["x-ratelimit-remaining-tokens"] == "0"


async def used(rates: Rates) -> int:
    return 1000 - int((await rates.take(ALICE, "tokens", 0))["x-ratelimit-remaining-tokens"])


async def settle(rates: Rates) -> None:
    while rates._tasks:
        await asyncio.wait(rates._tasks)


async def test_generated_tokens_count_as_they_come_each_once(rates: Rates) -> None:
    spend = rates.spender(ALICE)
    seen = []
    for total in (10, 63, 64, 100, 200, 201):
        spend(total, False)
        await settle(rates)
        seen.append(await used(rates))
    spend(205, True)
    await settle(rates)
    assert seen == [0, 0, 64, 64, 200, 200]
    assert await used(rates) == 205


async def test_beyond_the_limit_the_window_is_full_and_no_more(rates: Rates) -> None:
    rates.spender(ALICE)(5000, True)
    await settle(rates)
    with pytest.raises(RateLimited) as refused:
        await rates.take(ALICE, "tokens", 1)
    assert int(refused.value.headers["Retry-After"]) <= 2 * WINDOW_S


async def test_replicas_share_one_redis(redis_server: Any) -> None:
    first, second = Rates(QUOTAS, redis_server.url), Rates(QUOTAS, redis_server.url)
    for rates in (first, second, first):
        await rates.take(ALICE, "requests", 1)
    with pytest.raises(RateLimited):
        await second.take(ALICE, "requests", 1)
    await first.close()
    await second.close()


async def test_without_its_redis_the_server_serves_and_says_so(
    redis_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rates = Rates(QUOTAS, redis_server.url)
    await rates.take(ALICE, "requests", 1)
    redis_server.stop()
    with caplog.at_level(logging.WARNING):
        for _ in range(9):
            assert await rates.take(ALICE, "requests", 1) == {}
        rates.spender(ALICE)(500, True)
        await settle(rates)
    assert len([record for record in caplog.records if "rates are not limited" in record.message]) == 1
    redis_server.start()
    assert (await rates.take(ALICE, "requests", 1))["x-ratelimit-remaining-requests"] == "2"
    await rates.close()


counts, seconds = st.integers(0, 1000), st.floats(0, WINDOW_S)


@given(previous=counts, current=counts, left_s=seconds, limit=st.integers(1, 1000), room=st.integers(0, 1000))
def test_the_wait_is_long_enough_and_no_longer(
    previous: int, current: int, left_s: float, limit: int, room: int
) -> None:
    cost = max(0, limit - room)
    window = Window(previous, left_s, current, left_s)

    def used_after(wait_s: float) -> float:
        if wait_s < left_s:
            return previous * (left_s - wait_s) / WINDOW_S + current
        return current * max(0.0, WINDOW_S - (wait_s - left_s)) / WINDOW_S

    wait_s = window.wait_s(limit, cost)
    assert 0 <= wait_s <= 2 * WINDOW_S
    assert math.floor(used_after(wait_s) - 1e-6) + cost <= limit
    if wait_s > 0.1:
        assert used_after(wait_s - 0.1) + cost > limit
