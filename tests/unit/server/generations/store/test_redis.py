"""What only Redis does: being away, coming back, and forgetting by itself."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from steiner.server.generations.store.base import Chunk, Record, Save, StoreError, Tombstone
from steiner.server.generations.store.redis import RedisStore

RECORD = Record("rsn_1", owner="ann", model="tiny", created=1, endpoint="reasoning", process="x")


def new_store(server: Any) -> RedisStore:
    return RedisStore(server.url, retention_s=60, running_s=60)


async def test_one_that_is_not_there_says_what_to_do(redis_server: Any) -> None:
    redis_server.stop()
    with pytest.raises(StoreError, match=r"STEINER_REDIS_URL.*STEINER_STORE=sqlite"):
        await new_store(redis_server).open("x")


async def test_an_outage_is_an_error_and_then_over(redis_server: Any) -> None:
    store = new_store(redis_server)
    await store.open("x")
    await store.put([Save(RECORD, is_first=True)])
    redis_server.stop()
    for call in (store.get("rsn_1"), store.read("rsn_1", 0), store.put([Save(RECORD)]), store.beat()):
        with pytest.raises(StoreError, match="Redis failed"):
            await call
    redis_server.start()
    # This Redis keeps nothing on disk: what it had is gone, and what is new is taken, scripts included.
    assert await store.get("rsn_1") is None
    assert await store.put([Save(RECORD)]) == {"rsn_1"}
    assert await store.put([Save(RECORD, is_first=True)]) == set()
    assert await store.get("rsn_1") == RECORD
    await store.close()


async def test_a_process_without_a_beat_is_dead_after_a_while(redis_server: Any) -> None:
    store = RedisStore(redis_server.url, retention_s=60, running_s=60, alive_s=7)
    await store.open("x")
    with redis.Redis.from_url(redis_server.url) as plain:
        assert 0 < plain.ttl("steiner:process:x") <= 7
        plain.delete("steiner:process:x")
    other = new_store(redis_server)
    await other.open("y")
    assert not await other.is_alive("x")
    await store.beat()
    assert await other.is_alive("x")
    for each in (store, other):
        await each.close()


async def test_every_key_ends_without_a_server(redis_server: Any) -> None:
    store = new_store(redis_server)
    await store.open("x")
    ended = Record(**{name: getattr(RECORD, name) for name in ("owner", "model", "created", "endpoint")},
                   id="rsn_2", process="x", last=1, finished_at=time.time(), trace=b"t")  # fmt: skip
    await store.put([Save(RECORD, [Chunk(1, 1, b"x")], is_first=True)])
    await store.put([Save(ended, [Chunk(1, 1, b"x")], is_first=True)])
    await store.request_stop(RECORD)
    with redis.Redis.from_url(redis_server.url) as plain:
        without_end = {key.decode() for key in plain.scan_iter() if plain.ttl(key) < 0}
        assert without_end == {"steiner:running", "steiner:finished", "steiner:num_bytes"}
        assert plain.ttl("steiner:generation:rsn_2") <= 60 < plain.ttl("steiner:tombstone:rsn_2")
        plain.delete("steiner:generation:rsn_2", "steiner:chunks:rsn_2")
    assert await store.get("rsn_2") == Tombstone("rsn_2", "ann", "retention_s")
    await store.close()
