"""Both stores, for real: SQLite in a file, and a Redis server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from steiner.server.generations.store.base import Store
from steiner.server.generations.store.redis import RedisStore
from steiner.server.generations.store.sqlite import SqliteStore

NewStore = Callable[[], Store]


@pytest.fixture(params=["sqlite", "redis"])
async def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NewStore]:
    """Makes stores over the same data, as several processes would; they are closed in the end."""
    made: list[Store] = []
    server: Any = request.getfixturevalue("redis_server") if request.param == "redis" else None

    def make() -> Store:
        store: Store
        if server is None:
            store = SqliteStore(tmp_path / "state" / "generations.sqlite3")
        else:
            store = RedisStore(
                server.url, retention_s=60, running_s=60, prefix=f"{tmp_path.name}:", alive_s=1
            )
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()
