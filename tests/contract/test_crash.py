"""A server that is killed in the middle of a stream: what it ran ends in exactly one error, for everybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.server.generations.archive import MAX_UNSAVED

from .step_stream import begin, events_of, id_of, last_id, resume

pytestmark = pytest.mark.slow

SERVER = Path(__file__).resolve().parents[1] / "scripted_process.py"


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of a store for several servers."""
    if request.param == "redis":
        return {"store": "redis", "redis_url": request.getfixturevalue("redis_server").url}
    return {"store": "sqlite", "store_path": str(tmp_path / "generations.sqlite3")}


@pytest.fixture
def doomed(store: dict[str, Any], stage: Any, new_port: int, eventually: Any) -> Iterator[Any]:
    """A process whose generations go on until it is killed; its url and the process."""
    script = json.dumps(stage.ids_of(f"<start>{stage.step()}<proceed>{stage.step(number=2)}"))
    process = subprocess.Popen([sys.executable, SERVER, script, str(new_port), json.dumps(store)])
    url = f"http://127.0.0.1:{new_port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually(answers, timeout_s=120)
        yield url, process
    finally:
        process.kill()
        process.wait()


def num_sections(address: str) -> list[int]:
    """Of each step that the store has of a generation."""
    return [len(step["sections"]) for step in httpx.get(address).json()["steps"]]


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_killed_server_leaves_one_error(
    doomed: Any, store: dict[str, Any], stage: Any, serve: Any, eventually: Any, is_saved: bool
) -> None:
    url, process = doomed
    seen = begin(url, 30)
    name = id_of(seen)
    other = serve(stage.engine(stage.one_step), **store)
    address = f"{other.url}/v1/reasoning/{name}"
    if is_saved:
        # Another server sees what is saved, and that it runs. All of the script, so that it holds what was seen here.
        eventually(lambda: num_sections(address) == [4, 4])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    # At Redis a process counts as living for a while after its last beat.
    eventually(lambda: resume(other.url, name, last_id(seen)).status_code == 200, timeout_s=60)
    rest = resume(other.url, name, last_id(seen))
    events = events_of(rest.content)
    assert [event["type"] for event in events[-2:]] == ["usage", "error"]
    assert [event["type"] for event in events].count("error") == 1
    assert events[-1]["code"] == "interrupted"
    assert all(int(last_id(seen)) < event["sequence_number"] for event in events)
    if is_saved:
        assert events[-1]["sequence_number"] > MAX_UNSAVED
        assert events[-2]["completion_tokens"] > len(stage.ids_of(stage.step()))
        whole = resume(other.url, name).content
        assert whole.startswith(seen)
        assert whole.endswith(rest.content)
        assert resume(other.url, name, last_id(rest.content)).status_code == 204
        assert len(httpx.get(address).json()["steps"]) == 2
    assert httpx.delete(address).status_code == 204
    assert httpx.get(address).status_code == 404
