"""The file: how it fails to open, who may share it, and what a killed process leaves."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from steiner.server.generations.store import default_path, store_of
from steiner.server.generations.store.base import Record, Save, StoreError
from steiner.server.generations.store.sqlite import SqliteStore
from steiner.server.settings import Settings

KILLED = """
import asyncio, signal, sys, os
from pathlib import Path
from steiner.server.generations.store.base import Record, Save
from steiner.server.generations.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open("killed")
    record = Record("rsn_1", owner="ann", model="tiny", created=1, endpoint="reasoning", process="killed")
    await store.put([Save(record, is_first=True)])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_process_ran_is_an_orphan_at_once(tmp_path: Path) -> None:
    path = tmp_path / "generations.sqlite3"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    store = SqliteStore(path)
    await store.open("next")
    assert await store.orphans() == ["rsn_1"]
    assert [lock.name for lock in tmp_path.glob("*.lock")] == ["generations.sqlite3-next.lock"]
    await store.close()
    assert list(tmp_path.glob("*.lock")) == []


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "generations.sqlite3"
    record = Record("rsn_1", owner="ann", model="tiny", created=1, endpoint="reasoning", process="x")
    for process in ("x", "y"):
        store = SqliteStore(path)
        await store.open(process)
        if process == "x":
            await store.put([Save(record, is_first=True)])
        assert await store.get("rsn_1") == record
        await store.close()


async def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    # A file where a folder would have to be: refused to root, too, as a read-only file system is.
    (tmp_path / "taken").write_text("")
    store = SqliteStore(tmp_path / "taken" / "generations.sqlite3")
    with pytest.raises(
        StoreError, match=r"cannot keep generations in .*STEINER_STORE_PATH.*STEINER_STORE=memory"
    ):
        await store.open("x")
    await store.close()


@pytest.mark.parametrize("kind", ["newer", "no database"])
async def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "generations.sqlite3"
    if kind == "newer":
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    else:
        path.write_text("a text that somebody keeps here")
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"version 99 of the format|not a database"):
        await store.open("x")
    await store.close()
    assert kind == "newer" or path.read_bytes() == before


def test_the_default_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "steiner" / "generations.sqlite3"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_path() == tmp_path / "home" / ".local" / "state" / "steiner" / "generations.sqlite3"


async def test_the_settings_choose(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite3"
    store = store_of(Settings(store="sqlite", store_path=path))
    await store.open("x")
    await store.close()
    assert path.exists()
