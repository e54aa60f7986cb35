"""A clock that passes while somebody sleeps, and teachers on it that ask a played one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from steiner.training.teacher.client import Call, Teacher, open_client
from steiner.training.teacher.config import Price, TeacherSettings
from steiner.training.teacher.journal import Journal
from steiner.training.teacher.pace import Pace
from steiner.training.teacher.price import Purse, rule


@dataclass
class Clock:
    """Seconds, and each sleep that was taken."""

    now_s: float = 100.0
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    def pace(self, **limits: int) -> Pace:
        """A pace that this clock measures."""
        return Pace(**limits, clock=self, sleep=self.sleep)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask_at(tmp_path: Path, clock: Clock) -> Callable[..., contextlib.AbstractAsyncContextManager[Teacher]]:
    """A teacher at an address, with a journal below tmp_path; keyword arguments are settings of it."""

    @contextlib.asynccontextmanager
    async def connect(
        url: str, cap: float = 1.0, limits: dict[str, int] | None = None, **settings: Any
    ) -> AsyncIterator[Teacher]:
        asked = TeacherSettings(base_url=url, model="played", **{"max_completion_tokens": 1000, **settings})
        price = Price(per_million_prompt_tokens=2, per_million_completion_tokens=10, cap=cap)
        with Journal(tmp_path / "journal.jsonl") as journal:
            purse = Purse(price, journal.spent)
            async with open_client(asked) as client:
                yield Teacher(asked, client, journal, clock.pace(**(limits or {})), purse, rule)

    return connect


@pytest.fixture
def call_of() -> Callable[..., Call]:
    """A first attempt at a question."""
    return lambda text="1 + 1?", number=0: Call("attempt", [{"role": "user", "content": text}], number)
