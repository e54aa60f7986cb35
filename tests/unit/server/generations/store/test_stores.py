"""What every store does: the same tests on a SQLite file and on a Redis server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from steiner.server.generations.store.base import Chunk, Limits, Record, Save, Store, Tombstone

NewStore = Callable[[], Store]
PLENTY = Limits(retention_s=60, max_retained=100, max_retained_bytes=1 << 20)


def record(name: str = "rsn_1", **fields: Any) -> Record:
    given: dict[str, Any] = {
        "owner": "ann",
        "model": "tiny",
        "created": 17,
        "endpoint": "reasoning",
        "process": "one",
    }
    return Record(name, **(given | {"request": {"note": "ü"}} | fields))


def ended(name: str, at: float, num_bytes: int = 10) -> Save:
    return Save(
        record(name, last=2, finished_at=at, trace=b"t" * num_bytes), [Chunk(1, 2, b"")], is_first=True
    )


async def opened(new_store: NewStore, process: str = "one") -> Store:
    store = new_store()
    await store.open(process)
    return store


async def test_what_was_put_is_got_and_read(new_store: NewStore) -> None:
    store = await opened(new_store)
    assert await store.get("rsn_1") is None
    assert await store.read("rsn_1", 0) == []
    running = record()
    assert await store.put([Save(running, is_first=True)]) == set()
    assert await store.get("rsn_1") == running
    chunks = [Chunk(1, 3, b"\x00\n1"), Chunk(4, 4, b"")]
    grown = dataclasses.replace(running, last=4, usage={"prompt_tokens": 3})
    await store.put([Save(grown, chunks)])
    assert await store.get("rsn_1") == grown
    finished = dataclasses.replace(grown, last=9, finished_at=1732560000.125, trace=b"\xff\x00")
    await store.put([Save(finished, [Chunk(5, 9, b"end")])])
    assert await store.get("rsn_1") == finished
    everything = [*chunks, Chunk(5, 9, b"end")]
    assert list(await store.read("rsn_1", 0)) == everything
    assert list(await store.read("rsn_1", 2)) == everything
    assert list(await store.read("rsn_1", 3)) == everything[1:]
    assert list(await store.read("rsn_1", 8)) == everything[2:]
    assert list(await store.read("rsn_1", 9)) == []


async def test_many_chunks_are_read_a_few_at_a_time(new_store: NewStore) -> None:
    store = await opened(new_store)
    await store.put([Save(record(last=100), [Chunk(n, n, b"%d" % n) for n in range(1, 101)], is_first=True)])
    read: list[Chunk] = []
    while chunks := await store.read("rsn_1", read[-1].last if read else 0):
        assert len(chunks) < 50
        read += chunks
    assert [chunk.data for chunk in read] == [b"%d" % n for n in range(1, 101)]


async def test_another_process_sees_it(new_store: NewStore) -> None:
    one, two = await opened(new_store), await opened(new_store, "two")
    await one.put([Save(record(last=1), [Chunk(1, 1, b"x")], is_first=True)])
    assert await two.get("rsn_1") == record(last=1)
    assert list(await two.read("rsn_1", 0)) == [Chunk(1, 1, b"x")]


async def test_it_ends_once(new_store: NewStore) -> None:
    one, two = await opened(new_store), await opened(new_store, "two")
    await one.put([Save(record(), is_first=True), Save(record("rsn_2"), is_first=True)])
    first = dataclasses.replace(record(), last=1, finished_at=5.0)
    assert await two.put([Save(first, [Chunk(1, 1, b"two")])]) == set()
    late = dataclasses.replace(first, last=2)
    other = record("rsn_2", last=1)
    assert await one.put([Save(late, [Chunk(1, 2, b"one")]), Save(other)]) == {"rsn_1"}
    assert await one.get("rsn_1") == first
    assert list(await one.read("rsn_1", 0)) == [Chunk(1, 1, b"two")]
    assert await one.get("rsn_2") == other


async def test_what_is_removed_stays_away(new_store: NewStore) -> None:
    store = await opened(new_store)
    await store.put([Save(record(), is_first=True), ended("rsn_2", at=5.0)])
    for name in ("rsn_1", "rsn_2", "rsn_unknown"):
        await store.delete(name)
        assert await store.get(name) is None
        assert list(await store.read(name, 0)) == []
    assert await store.put([Save(record(last=1), [Chunk(1, 1, b"x")])]) == {"rsn_1"}
    assert await store.get("rsn_1") is None
    assert await store.expire(Limits(0, 0, 0), now=100.0) == 0


@pytest.mark.parametrize(
    ("limits", "limit", "num_left"),
    [
        (Limits(60, 100, 1 << 20), "", 5),
        (Limits(7.5, 100, 1 << 20), "retention_s", 2),
        (Limits(60, 2, 1 << 20), "max_retained", 2),
        (Limits(60, 100, 25), "max_retained_bytes", 2),
        (Limits(60, 0, 1 << 20), "max_retained", 0),
    ],
)
async def test_the_oldest_finished_go_first(
    new_store: NewStore, limits: Limits, limit: str, num_left: int
) -> None:
    store = await opened(new_store)
    await store.put([Save(record("rsn_running"), is_first=True)])
    await store.put([ended(f"rsn_{n}", at=float(n)) for n in (3, 1, 5, 2, 4)])
    gone = 5 - num_left
    assert await store.expire(limits, now=11.0) == gone
    for n in range(1, 6):
        found = await store.get(f"rsn_{n}")
        if n <= gone:
            assert found == Tombstone(f"rsn_{n}", "ann", limit)  # type: ignore[arg-type]
            assert list(await store.read(f"rsn_{n}", 0)) == []
        else:
            assert isinstance(found, Record)
    assert await store.get("rsn_running") == record("rsn_running")
    assert await store.expire(limits, now=11.0) == 0


async def test_bytes_of_removed_ones_do_not_count(new_store: NewStore) -> None:
    store = await opened(new_store)
    await store.put([ended("rsn_1", at=1.0, num_bytes=100), ended("rsn_2", at=2.0)])
    await store.delete("rsn_1")
    assert await store.expire(Limits(60, 100, 50), now=3.0) == 0
    await store.put([ended("rsn_3", at=3.0, num_bytes=100)])
    assert await store.expire(Limits(60, 100, 100), now=3.0) == 1
    assert isinstance(await store.get("rsn_2"), Tombstone)


async def test_who_runs_it_is_asked_to_stop(new_store: NewStore) -> None:
    one, two = await opened(new_store), await opened(new_store, "two")
    await one.put([Save(record(), is_first=True)])
    assert await one.beat() == set()
    await two.request_stop(record())
    assert await two.beat() == set()
    assert await one.beat() == {"rsn_1"}


async def test_a_process_that_is_gone_leaves_orphans(new_store: NewStore) -> None:
    one, two = await opened(new_store), await opened(new_store, "two")
    await one.put([Save(record(), is_first=True), ended("rsn_2", at=1.0)])
    await two.put([Save(record("rsn_3", process="two"), is_first=True)])
    assert await two.is_alive("one")
    assert not await two.is_alive("three")
    assert list(await two.orphans()) == []
    await one.close()
    assert not await two.is_alive("one")
    assert list(await two.orphans()) == ["rsn_1"]
