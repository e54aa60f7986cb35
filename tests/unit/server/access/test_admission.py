"""Places on the engine: order, fairness, bounds, and that every place comes back."""

import asyncio
import random
from typing import Any

import pytest

from steiner.server.access.admission import Admission, Place, TurnedAway
from steiner.server.access.keys import Caller
from steiner.server.errors import InvalidRequest, RateLimited

ALICE, BOB = Caller("alice"), Caller("bob")


def admission(max_running: int = 1, max_queued: int = 10, **options: Any) -> Admission:
    given: dict[str, Any] = {"max_wait_s": 60.0, "max_concurrent": lambda _: 0}
    return Admission(max_running=max_running, max_queued=max_queued, **given | options)


def has_turn(place: Place) -> bool:
    return place.granted.done() and not place.granted.cancelled()


async def test_who_finds_a_free_place_runs_at_once() -> None:
    places = admission(max_running=2).enter(ALICE, 2)
    await asyncio.gather(*(place.turn() for place in places))


async def test_callers_take_turns_and_each_keeps_its_order() -> None:
    gate = admission()
    [running] = gate.enter(ALICE)
    alice = [gate.enter(ALICE)[0] for _ in range(3)]
    bob = [gate.enter(BOB)[0] for _ in range(2)]
    order = []
    for _ in range(5):
        running.release()
        [running] = [place for place in (*alice, *bob) if has_turn(place) and place not in order]
        order.append(running)
    assert order == [alice[0], bob[0], alice[1], bob[1], alice[2]]


async def test_beyond_the_queue_requests_are_refused_and_take_nothing() -> None:
    gate = admission(max_running=1, max_queued=2)
    places = gate.enter(ALICE, 3)
    with pytest.raises(RateLimited) as refused:
        gate.enter(BOB)
    assert refused.value.code == "queue_full"
    assert "queue of 2" in refused.value.message
    assert int(refused.value.headers["Retry-After"]) >= 1
    assert (gate.num_running, gate.num_waiting) == (1, 2)
    places[1].release()
    gate.enter(BOB)


async def test_places_of_one_request_are_taken_together_or_not_at_all() -> None:
    gate = admission(max_running=1, max_queued=2)
    [running] = gate.enter(BOB)
    with pytest.raises(RateLimited):
        gate.enter(ALICE, 3)
    assert (gate.num_running, gate.num_waiting) == (1, 0)
    running.release()


@pytest.mark.parametrize(
    ("max_running", "max_queued", "allowed", "count"),
    [(9, 10, 2, 3), (1, 1, 0, 3), (2, 0, 0, 3), (2, 0, 8, 3), (16, 1024, 1, 2)],
)
async def test_what_can_never_be_is_no_matter_of_waiting(
    max_running: int, max_queued: int, allowed: int, count: int
) -> None:
    gate = admission(max_running, max_queued, max_concurrent=lambda _: allowed)
    for refuse in (gate.check, gate.enter):
        with pytest.raises(InvalidRequest, match=rf"n \({count}\) is above {count - 1}") as refused:
            refuse(ALICE, count)
        assert (refused.value.status, refused.value.param) == (400, "n")
    assert (gate.num_running, gate.num_waiting) == (0, 0)
    assert len(gate.enter(ALICE, count - 1)) == count - 1


async def test_nobody_holds_more_than_it_may() -> None:
    gate = admission(max_running=9, max_concurrent=lambda caller: 2 if caller == ALICE else 0)
    first, _ = gate.enter(ALICE, 2)
    with pytest.raises(RateLimited, match="limit is 2") as refused:
        gate.enter(ALICE)
    assert (refused.value.code, refused.value.reason) == ("rate_limit_exceeded", "concurrency")
    gate.enter(BOB, 5)
    first.release()
    gate.enter(ALICE)


async def test_releasing_twice_frees_one_place() -> None:
    gate = admission(max_running=1)
    first, second, third = gate.enter(ALICE, 3)
    first.release()
    first.release()
    assert has_turn(second)
    assert not has_turn(third)


async def test_who_leaves_the_queue_gives_its_place_up() -> None:
    gate = admission()
    first, second, third = gate.enter(ALICE, 3)
    waiting = asyncio.create_task(second.turn())
    await asyncio.sleep(0)
    waiting.cancel()
    second.release()
    assert gate.num_waiting == 1
    first.release()
    await third.turn()


async def test_a_wait_has_an_end() -> None:
    gate = admission(max_wait_s=0.0)
    _, second = gate.enter(ALICE, 2)
    with pytest.raises(TurnedAway, match="0 s") as away:
        await second.turn()
    assert away.value.code == "queue_timeout"


async def test_at_shutdown_those_who_wait_are_sent_away() -> None:
    gate = admission()
    first, second, third = gate.enter(ALICE, 3)
    waiting = asyncio.create_task(second.turn())
    await asyncio.sleep(0)
    gate.turn_away_waiting()
    for turn in (waiting, third.turn()):
        with pytest.raises(TurnedAway) as away:
            await turn
        assert away.value.code == "draining"
    await first.turn()


async def test_the_estimate_follows_the_pace_and_the_queue() -> None:
    now = 0.0
    gate = admission(max_running=2, max_queued=100, clock=lambda: now)
    running = gate.enter(ALICE, 2)
    assert gate.estimated_wait_s == 5
    gate.enter(ALICE, 9)
    assert gate.estimated_wait_s == 50
    for _ in range(9):
        now += 1.0
        running = [place for place in running if place.release() is None]  # type: ignore[func-returns-value]
    assert gate.num_waiting <= 9
    assert gate.estimated_wait_s < 50


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_places_are_neither_lost_nor_made(seed: int) -> None:
    draw = random.Random(seed)
    gate = admission(max_running=3, max_queued=5)
    held: list[Place] = []
    for _ in range(400):
        if draw.random() < 0.55:
            try:
                held += gate.enter(draw.choice([ALICE, BOB, Caller("carol")]), draw.randint(1, 3))
            except RateLimited:
                assert gate.num_waiting + 3 > 5
        elif held:
            held.pop(draw.randrange(len(held))).release()
        assert gate.num_running == min(3, len(held))
        assert gate.num_waiting == len(held) - gate.num_running <= 5
        assert sum(map(has_turn, held)) == gate.num_running
    for place in held:
        place.release()
    assert (gate.num_running, gate.num_waiting) == (0, 0)
