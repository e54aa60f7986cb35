"""The shared store: one Redis for several replicas, so that any of them can resume what another one runs.

A process is alive as long as its key is, which it renews with every beat. Needs Redis 7 or later with one primary.
Sentinels and managed services are fine. A cluster is not, because scripts touch keys of several slots.

Keys, after the prefix:
    generation:ID   hash     the record
    chunks:ID       zset     its chunks, by the number of their last event
    tombstone:ID    string   JSON, kept longer than the record
    running         hash     ids of unfinished ones to their process
    finished        zset     ids of finished ones, by when
    num_bytes       integer  of all finished ones together
    process:NAME    string   lives while the process does
    stop:NAME       set      ids that others asked the process to end
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from steiner.server.generations.store.base import Chunk, Limits, Record, Save, StoreError, Tombstone

PREFIX = "steiner:"
ALIVE_S = 15
TOMBSTONE_S = 24 * 3600
OP_TIMEOUT_S = 5.0
CHUNKS_PER_READ = 16
# How many generations one call of the script drops: Redis does nothing else meanwhile.
EXPIRED_PER_CALL = 200

# KEYS: generation, chunks, tombstone, running, finished, num_bytes
# ARGV: id, is_first, process, finished_at, lifetime_s, tombstone, tombstone_s, num_bytes,
#       number of fields, fields and values, then score and chunk by turns
PUT = """
local ended = redis.call('HGET', KEYS[1], 'finished_at')
if (ended and ended ~= '') or (not ended and ARGV[2] == '0') then return 0 end
local behind = 9 + 2 * tonumber(ARGV[9])
for at = 10, behind, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
local size = redis.call('HINCRBY', KEYS[1], 'num_bytes', ARGV[8])
for at = behind + 1, #ARGV, 2 do redis.call('ZADD', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
if ARGV[4] == '' then
    redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
else
    redis.call('HDEL', KEYS[4], ARGV[1])
    redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
    redis.call('INCRBY', KEYS[6], size)
    redis.call('SET', KEYS[3], ARGV[6], 'EX', ARGV[7])
end
return 1
"""

# KEYS: finished, num_bytes; ARGV: prefix, horizon, most, most bytes, tombstone_s, most of this call
EXPIRE = """
local gone = 0
while gone < tonumber(ARGV[6]) do
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    if not oldest[1] then redis.call('SET', KEYS[2], 0) break end
    local limit = nil
    if tonumber(oldest[2]) <= tonumber(ARGV[2]) then limit = 'retention_s'
    elseif redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[3]) then limit = 'max_retained'
    elseif tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[4]) then limit = 'max_retained_bytes'
    else break end
    local id = oldest[1]
    local record = redis.call('HMGET', ARGV[1] .. 'generation:' .. id, 'owner', 'num_bytes')
    if record[1] then
        local tombstone = cjson.encode({owner = record[1], limit = limit})
        redis.call('SET', ARGV[1] .. 'tombstone:' .. id, tombstone, 'EX', ARGV[5])
        redis.call('DECRBY', KEYS[2], record[2])
    end
    redis.call('DEL', ARGV[1] .. 'generation:' .. id, ARGV[1] .. 'chunks:' .. id)
    redis.call('ZREM', KEYS[1], id)
    gone = gone + 1
end
return gone
"""


class RedisStore:
    """A `Store` in Redis.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, ``rediss://`` with TLS, or ``unix://``.
        retention_s: how long finished generations live there, whether or not any server is left to drop them.
        running_s: the longest that an unfinished one may go without news.
        alive_s: how long a process counts as living after its last beat; a whole number.
    """

    def __init__(
        self,
        url: str,
        *,
        retention_s: float,
        running_s: float,
        prefix: str = PREFIX,
        alive_s: int = ALIVE_S,
    ) -> None:
        self._url = url
        self._retention_s = max(1, round(retention_s))
        self._running_s = max(1, round(running_s + retention_s))
        self._prefix = prefix
        self._alive_s = alive_s
        self._process = ""
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=OP_TIMEOUT_S, socket_connect_timeout=OP_TIMEOUT_S, protocol=2
        )
        self._put_script = self._redis.register_script(PUT)
        self._expire_script = self._redis.register_script(EXPIRE)

    async def open(self, process: str) -> None:
        """Connect and show that this process lives.

        Raises:
            StoreError: nothing answers there, or something that is not Redis.
        """
        self._process = process
        try:
            await self.beat()
        except StoreError as error:
            await self.close()
            raise StoreError(
                f"{error}; STEINER_REDIS_URL names a Redis that answers, or STEINER_STORE=sqlite keeps "
                "generations in a file"
            ) from error

    async def close(self) -> None:
        try:
            async with self._calls():
                await self._redis.delete(self._key("process", self._process))
        except StoreError:
            # Its key expires by itself.
            pass
        await self._redis.aclose()

    async def put(self, saves: Sequence[Save]) -> set[str]:
        async with self._calls(), self._redis.pipeline(transaction=False) as pipeline:
            for save in saves:
                await self._put_script(*self._put_arguments(save), client=pipeline)
            done = await pipeline.execute()
        return {save.record.id for save, is_kept in zip(saves, done, strict=True) if not is_kept}

    async def get(self, generation_id: str) -> Record | Tombstone | None:
        async with self._calls(), self._redis.pipeline() as pipeline:
            pipeline.hgetall(self._key("generation", generation_id))
            pipeline.get(self._key("tombstone", generation_id))
            fields, tombstone = await pipeline.execute()
        if fields:
            return _record(generation_id, fields)
        return Tombstone(generation_id, **json.loads(tombstone)) if tombstone else None

    async def read(self, generation_id: str, after: int) -> Sequence[Chunk]:
        async with self._calls():
            # Any, because redis-py's types do not say whether a client decodes.
            found: Any = await self._redis.zrangebyscore(
                self._key("chunks", generation_id),
                f"({after}",
                "+inf",
                start=0,
                num=CHUNKS_PER_READ,
                withscores=True,
            )
        chunks = []
        for member, last in found:
            first, _, data = member.partition(b"\n")
            chunks.append(Chunk(int(first), int(last), data))
        return chunks

    async def delete(self, generation_id: str) -> None:
        async with self._calls(), self._redis.pipeline() as pipeline:
            pipeline.hget(self._key("generation", generation_id), "num_bytes")
            pipeline.zrem(self._key("finished"), generation_id)
            for kind in ("generation", "chunks", "tombstone"):
                pipeline.delete(self._key(kind, generation_id))
            pipeline.hdel(self._key("running"), generation_id)
            num_bytes, was_finished, *_ = await pipeline.execute()
            if was_finished and num_bytes:
                await self._redis.decrby(self._key("num_bytes"), int(num_bytes))

    async def expire(self, limits: Limits, now: float) -> int:
        async with self._calls():
            gone = await self._expire_script(
                keys=[self._key("finished"), self._key("num_bytes")],
                args=[
                    self._prefix,
                    now - limits.retention_s,
                    limits.max_retained,
                    limits.max_retained_bytes,
                    TOMBSTONE_S,
                    EXPIRED_PER_CALL,
                ],
            )
        return int(gone)

    async def request_stop(self, record: Record) -> None:
        key = self._key("stop", record.process)
        async with self._calls(), self._redis.pipeline() as pipeline:
            pipeline.sadd(key, record.id)
            pipeline.expire(key, self._alive_s)
            await pipeline.execute()

    async def beat(self) -> set[str]:
        async with self._calls(), self._redis.pipeline() as pipeline:
            pipeline.set(self._key("process", self._process), "", ex=self._alive_s)
            pipeline.smembers(self._key("stop", self._process))
            pipeline.delete(self._key("stop", self._process))
            _, names, _ = await pipeline.execute()
        return {name.decode() for name in names}

    async def is_alive(self, process: str) -> bool:
        if process == self._process:
            return True
        async with self._calls():
            return bool(await self._redis.exists(self._key("process", process)))

    async def orphans(self) -> Sequence[str]:
        async with self._calls():
            running: Any = await self._redis.hgetall(self._key("running"))
        living = {name for name in set(running.values()) if await self.is_alive(name.decode())}
        return [name.decode() for name, process in running.items() if process not in living]

    def _key(self, kind: str, name: str | None = None) -> str:
        return f"{self._prefix}{kind}" if name is None else f"{self._prefix}{kind}:{name}"

    def _put_arguments(self, save: Save) -> tuple[list[str], list[Any]]:
        record = save.record
        keys = [self._key(kind, record.id) for kind in ("generation", "chunks", "tombstone")]
        keys += [self._key(kind) for kind in ("running", "finished", "num_bytes")]
        fields = _fields(record)
        is_running = record.finished_at is None
        arguments = [
            record.id,
            int(save.is_first),
            record.process,
            fields["finished_at"],
            self._running_s if is_running else self._retention_s,
            json.dumps({"owner": record.owner, "limit": "retention_s"}),
            self._retention_s + TOMBSTONE_S,
            save.num_bytes,
            len(fields),
        ]
        for name, value in fields.items():
            arguments += [name, value]
        for chunk in save.chunks:
            arguments += [chunk.last, b"%d\n%b" % (chunk.first, chunk.data)]
        return keys, arguments

    @asynccontextmanager
    async def _calls(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise StoreError(f"Redis failed: {error}") from error


def _fields(record: Record) -> dict[str, Any]:
    return {
        "owner": record.owner,
        "model": record.model,
        "created": record.created,
        "endpoint": record.endpoint,
        "process": record.process,
        "request": json.dumps(record.request),
        "first": record.first,
        "last": record.last,
        "usage": json.dumps(record.usage),
        "finished_at": "" if record.finished_at is None else repr(record.finished_at),
        "trace": record.trace,
    }


def _record(generation_id: str, fields: dict[bytes, bytes]) -> Record:
    texts = {name.decode(): value.decode() for name, value in fields.items() if name != b"trace"}
    return Record(
        id=generation_id,
        owner=texts["owner"],
        model=texts["model"],
        created=int(texts["created"]),
        endpoint=texts["endpoint"],  # type: ignore[arg-type]
        process=texts["process"],
        request=json.loads(texts["request"]),
        first=int(texts["first"]),
        last=int(texts["last"]),
        usage=json.loads(texts["usage"]),
        finished_at=float(texts["finished_at"]) if texts["finished_at"] else None,
        trace=fields[b"trace"],
    )
