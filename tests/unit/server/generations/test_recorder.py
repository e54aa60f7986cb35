"""Saving goes on whatever fails: the store for a while, or saving itself by a mistake of ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from steiner.server.access.admission import Admission
from steiner.server.access.keys import Caller
from steiner.server.generations import recorder
from steiner.server.generations.archive import Archive
from steiner.server.generations.generation import Generation
from steiner.server.generations.recorder import Recorder
from steiner.server.generations.store.base import Limits, Save, StoreError
from steiner.server.generations.store.sqlite import SqliteStore

LIMITS = Limits(retention_s=60, max_retained=10, max_retained_bytes=1 << 20)


class FailingStore(SqliteStore):
    """In memory; saving raises what `failure` is, and waits while it is not `answers`."""

    failure: Exception | None = None

    def __init__(self) -> None:
        super().__init__(None)
        self.calls: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def beat(self) -> set[str]:
        self.calls.append("beat")
        return await super().beat()

    async def put(self, saves: Sequence[Save]) -> set[str]:
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        self.calls.append("put")
        return await super().put(saves)


class Recorded:
    """A recorder over that store, and what it said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = FailingStore()
        self.saved: list[str] = []
        self.errors: list[str] = []
        self.archive = Archive(self.store, "x", self.errors.append)
        self.recorder = Recorder(
            self.archive,
            LIMITS,
            max_unsaved_bytes=1 << 20,
            on_saved=lambda generation: self.saved.append(generation.id),
            stop=lambda _: None,
            count_failure=lambda: self.errors.append("record"),
            clock=lambda: self.now,
        )

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture
async def recorded() -> AsyncIterator[Recorded]:
    recorded = Recorded()
    await recorded.store.open("x")
    recorded.recorder.open()
    yield recorded
    recorded.store.failure = None
    recorded.store.answers.set()
    await recorded.recorder.close()
    await recorded.archive.close()


async def finished_generation(stage: Any) -> Generation:
    def nobody_limits(_: Caller) -> int:
        return 0

    admission = Admission(max_running=1, max_queued=1, max_wait_s=1, max_concurrent=nobody_limits)
    [place] = admission.enter(Caller("ann"), 1)
    generation = Generation(
        stage.conductor(stage.engine(stage.one_step)),
        owner="ann",
        endpoint="reasoning",
        request={},
        place=place,
        max_buffer_bytes=1 << 20,
        timeout_s=10,
        observe=lambda _: None,
        on_engine_dead=lambda: None,
    )
    generation.start(None)
    await generation.wait()
    return generation


@pytest.mark.parametrize(
    ("failure", "counted", "level"),
    [(StoreError("full"), "put", logging.ERROR), (RuntimeError("a mistake"), "record", logging.CRITICAL)],
)
async def test_what_could_not_be_saved_is_saved_later(
    recorded: Recorded,
    stage: Any,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    counted: str,
    level: int,
) -> None:
    caplog.set_level(logging.INFO, "steiner.server.generations.recorder")
    recorded.store.failure = failure
    generation = await finished_generation(stage)
    recorded.recorder.add(generation)
    await recorded.until(lambda: recorded.errors.count(counted) >= 3)
    assert recorded.recorder.is_failing
    assert recorded.saved == []
    # Once for each outage, not for each try.
    assert [record.levelno for record in caplog.records] == [level]
    recorded.store.failure = None
    await recorded.until(lambda: recorded.saved)
    assert recorded.saved == [generation.id]
    assert not recorded.recorder.is_failing
    assert set(recorded.errors) == {counted}
    assert caplog.records[-1].message == "generations are saved again"
    kept = await recorded.archive.get(generation.id)
    assert kept is not None
    assert kept == await recorded.store.get(generation.id)


async def test_who_was_held_up_shows_that_it_lives_before_it_saves(recorded: Recorded, stage: Any) -> None:
    """To another server a process without a beat for long is dead, and what it saves then would be ended as lost."""
    first = await finished_generation(stage)
    recorded.recorder.add(first)
    await recorded.until(lambda: recorded.saved == [first.id])
    assert recorded.store.calls == ["beat", "put"]
    second = await finished_generation(stage)
    recorded.now += 60
    recorded.recorder.add(second)
    await recorded.until(lambda: len(recorded.store.calls) == 4)
    assert recorded.store.calls[2:] == ["beat", "put"]


async def test_a_generation_is_registered_when_the_store_has_it(recorded: Recorded, stage: Any) -> None:
    recorded.store.answers.clear()
    generation = await finished_generation(stage)
    recorded.recorder.add(generation)
    waiting = asyncio.ensure_future(recorded.recorder.until_registered(generation.id))
    assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
    recorded.store.answers.set()
    await waiting
    assert await recorded.store.get(generation.id) is not None
    await recorded.recorder.until_registered("one that nobody records")


@pytest.mark.parametrize("failure", [StoreError("full"), None])
async def test_a_store_that_does_not_take_it_holds_nobody_up(
    recorded: Recorded, stage: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    if failure is None:
        recorded.store.answers.clear()
        monkeypatch.setattr(recorder, "MAX_REGISTRATION_S", 0.05)
    recorded.store.failure = failure
    generation = await finished_generation(stage)
    recorded.recorder.add(generation)
    async with asyncio.timeout(0.9):
        await recorded.recorder.until_registered(generation.id)
    assert await recorded.store.get(generation.id) is None
