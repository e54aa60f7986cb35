"""The embedded store: one SQLite file in WAL mode, which the servers of one machine may share.

A process is alive as long as it holds the lock on its own file next to the database. The kernel releases the lock
however the process ends, so the very next start knows what a killed server left behind.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from steiner.server.generations.store.base import (
    MAX_TOMBSTONES,
    Chunk,
    Limits,
    Record,
    Save,
    StoreError,
    Tombstone,
)


def hold(path: Path) -> IO[bytes]:
    """Create the file; it is locked as long as the returned object is open."""
    # Locked before it has its name, because an unlocked file means that its process is dead.
    unnamed = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    lock = unnamed.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(path)
    return lock


def is_held(path: Path) -> bool:
    """Whether some process, this one included, holds the lock."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


Result = TypeVar("Result")

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE generation (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, model TEXT NOT NULL, created INTEGER NOT NULL,
    endpoint TEXT NOT NULL, process TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    num_bytes INTEGER NOT NULL, finished_at REAL, stop_requested INTEGER NOT NULL DEFAULT 0,
    usage TEXT NOT NULL, request TEXT NOT NULL, trace BLOB NOT NULL
) STRICT;
CREATE INDEX generation_by_end ON generation (finished_at, num_bytes);
CREATE TABLE chunk (
    id TEXT NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
    first INTEGER NOT NULL, last INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (id, last)
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, limit_name TEXT NOT NULL
) STRICT;
"""
RECORD = [column.name for column in dataclasses.fields(Record)]
BUSY_TIMEOUT_S = 10.0
CHUNKS_PER_READ = 16


class SqliteStore:
    """A `Store` in a file.

    Args:
        path: of the file; it and its folder are made if needed. None keeps everything in memory, and it is
            gone with the process.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._process = ""
        self._lock: IO[bytes] | None = None
        self._database: sqlite3.Connection | None = None
        # SQLite blocks, and takes one writer at a time, so everything happens in one thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="steiner-store")

    async def open(self, process: str) -> None:
        """Open or make the file.

        Raises:
            StoreError: it cannot be written, or is not a store of this version.
        """
        await self._run(lambda: self._open(process))

    async def close(self) -> None:
        if self._database is not None:
            await self._run(self._close)
        self._thread.shutdown()

    async def put(self, saves: Sequence[Save]) -> set[str]:
        return await self._run(lambda: self._put(saves))

    async def get(self, generation_id: str) -> Record | Tombstone | None:
        return await self._run(lambda: self._get(generation_id))

    async def read(self, generation_id: str, after: int) -> Sequence[Chunk]:
        query = "SELECT first, last, data FROM chunk WHERE id = ? AND last > ? ORDER BY last LIMIT ?"
        rows = await self._run(lambda: self._rows(query, generation_id, after, CHUNKS_PER_READ))
        return [Chunk(*row) for row in rows]

    async def delete(self, generation_id: str) -> None:
        def delete() -> None:
            with self._transaction() as database:
                database.execute("DELETE FROM generation WHERE id = ?", (generation_id,))
                database.execute("DELETE FROM tombstone WHERE id = ?", (generation_id,))

        await self._run(delete)

    async def expire(self, limits: Limits, now: float) -> int:
        return await self._run(lambda: self._expire(limits, now))

    async def request_stop(self, record: Record) -> None:
        def request() -> None:
            with self._transaction() as database:
                database.execute("UPDATE generation SET stop_requested = 1 WHERE id = ?", (record.id,))

        await self._run(request)

    async def beat(self) -> set[str]:
        query = "SELECT id FROM generation WHERE finished_at IS NULL AND stop_requested AND process = ?"
        return {name for (name,) in await self._run(lambda: self._rows(query, self._process))}

    async def is_alive(self, process: str) -> bool:
        return await self._run(lambda: self._is_alive(process))

    async def orphans(self) -> Sequence[str]:
        return await self._run(self._orphans)

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the store {self._path or 'in memory'} failed: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._connected()
        # Takes the write lock at once, because a transaction that begins by reading may fail when it writes.
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _connected(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("it is not open")
        return self._database

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connected().execute(query, values).fetchall()

    def _open(self, process: str) -> None:
        self._process = process
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = hold(self._lock_path(process))
                for leftover in self._path.parent.glob(f"{self._path.name}-*.lock"):
                    if not is_held(leftover):
                        leftover.unlink(missing_ok=True)
            self._database = sqlite3.connect(
                self._path or ":memory:", isolation_level=None, timeout=BUSY_TIMEOUT_S
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a machine without power may lose the last moments.
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._require_schema()
        except (sqlite3.Error, OSError) as error:
            self._close()
            raise StoreError(
                f"cannot keep generations in {self._path}: {error}; STEINER_STORE_PATH names a file that can "
                "be written, or STEINER_STORE=memory keeps them in memory"
            ) from error

    def _require_schema(self) -> None:
        with self._transaction() as database:
            ((version,),) = self._rows("PRAGMA user_version")
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"it has version {version} of the format, and this server has {SCHEMA_VERSION}"
                )

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock_path(self._process).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _put(self, saves: Sequence[Save]) -> set[str]:
        with self._transaction() as database:
            return {save.record.id for save in saves if not _put_one(database, save)}

    def _get(self, generation_id: str) -> Record | Tombstone | None:
        database = self._connected()
        query = f"SELECT {', '.join(RECORD)} FROM generation WHERE id = ?"
        row = database.execute(query, (generation_id,)).fetchone()
        if row is not None:
            fields = dict(zip(RECORD, row, strict=True))
            request, usage = json.loads(fields.pop("request")), json.loads(fields.pop("usage"))
            return Record(**fields, request=request, usage=usage)
        query = "SELECT id, owner, limit_name FROM tombstone WHERE id = ?"
        row = database.execute(query, (generation_id,)).fetchone()
        return Tombstone(*row) if row else None

    def _expire(self, limits: Limits, now: float) -> int:
        newest_first = "OVER (ORDER BY finished_at DESC, id)"
        bury = (
            "INSERT OR REPLACE INTO tombstone (id, owner, limit_name) SELECT id, owner, CASE "
            "WHEN finished_at <= ? THEN 'retention_s' WHEN place > ? THEN 'max_retained' "
            "ELSE 'max_retained_bytes' END FROM ("
            f"SELECT id, owner, finished_at, ROW_NUMBER() {newest_first} AS place, "
            f"SUM(num_bytes) {newest_first} AS total FROM generation WHERE finished_at IS NOT NULL"
            ") WHERE finished_at <= ? OR place > ? OR total > ?"
        )
        horizon = now - limits.retention_s
        with self._transaction() as database:
            buried = database.execute(
                bury,
                (horizon, limits.max_retained, horizon, limits.max_retained, limits.max_retained_bytes),
            ).rowcount
            if buried:
                database.execute("DELETE FROM generation WHERE id IN (SELECT id FROM tombstone)")
                database.execute(
                    "DELETE FROM tombstone WHERE number <= (SELECT MAX(number) FROM tombstone) - ?",
                    (MAX_TOMBSTONES,),
                )
        return buried

    def _orphans(self) -> list[str]:
        rows = self._rows("SELECT id, process FROM generation WHERE finished_at IS NULL")
        dead = {process for process in {str(row[1]) for row in rows} if not self._is_alive(process)}
        return [str(name) for name, process in rows if process in dead]

    def _is_alive(self, process: str) -> bool:
        return process == self._process or (self._path is not None and is_held(self._lock_path(process)))

    def _lock_path(self, process: str) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}-{process}.lock")


def _put_one(database: sqlite3.Connection, save: Save) -> bool:
    record = save.record
    state = {
        "id": record.id,
        "first": record.first,
        "last": record.last,
        "num_bytes": save.num_bytes,
        "finished_at": record.finished_at,
        "usage": json.dumps(record.usage),
        "trace": record.trace,
    }
    if save.is_first:
        query = (
            "INSERT OR IGNORE INTO generation (id, owner, model, created, endpoint, process, first, last, "
            "num_bytes, finished_at, usage, request, trace) VALUES (:id, :owner, :model, :created, :endpoint, "
            ":process, :first, :last, :num_bytes, :finished_at, :usage, :request, :trace)"
        )
        head = {name: getattr(record, name) for name in ("owner", "model", "created", "endpoint", "process")}
        state |= head | {"request": json.dumps(record.request)}
    else:
        query = (
            "UPDATE generation SET first = :first, last = :last, num_bytes = num_bytes + :num_bytes, "
            "finished_at = :finished_at, usage = :usage, trace = :trace "
            "WHERE id = :id AND finished_at IS NULL"
        )
    if not database.execute(query, state).rowcount:
        return False
    database.executemany(
        "INSERT OR REPLACE INTO chunk (id, first, last, data) VALUES (?, ?, ?, ?)",
        [(record.id, chunk.first, chunk.last, chunk.data) for chunk in save.chunks],
    )
    return True
