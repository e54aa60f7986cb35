"""Two replicas as they are deployed: nginx with the shipped files in front, one Redis behind."""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from steiner.client.event_stream import EventStreamDecoder, Message

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
#: Generations that last until somebody ends them.
OPTIONS = ["--pace-ms", "400", "--steps", "64"]


@pytest.fixture(scope="module")
def replicas_module() -> Iterator[ModuleType]:
    """benchmarks/ holds scripts beside each other and no package."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("replicas")
    sys.path.remove(str(FOLDER))
    sys.modules.pop("replicas", None)


@pytest.fixture
def replicas(replicas_module: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with replicas_module.Replicas(2, tmp_path, OPTIONS) as running:
        yield running


class Follower(threading.Thread):
    """Reads a step stream to its end, or until its connection breaks."""

    def __init__(self, method: str, url: str, trust: ssl.SSLContext, **arguments: Any) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.is_broken = False
        self._request: dict[str, Any] = {"method": method, "url": url, "verify": trust, "timeout": 60}
        self._request |= arguments
        self.start()

    def run(self) -> None:
        decoder = EventStreamDecoder()
        try:
            with httpx.stream(**self._request) as answer:
                assert answer.status_code == 200
                for piece in answer.iter_bytes():
                    self.messages += decoder.feed(piece)
        except httpx.TransportError:
            self.is_broken = True

    @property
    def id(self) -> str:
        name: str = json.loads(self.messages[0].data)["id"]
        return name

    @property
    def numbers(self) -> list[int]:
        return [int(message.last_event_id) for message in self.messages]


def active(server: Any) -> float:
    number: float = server.metric("steiner_generations_active")
    return number


def test_a_killed_replica_leaves_one_error_which_the_other_one_tells(replicas: Any, eventually: Any) -> None:
    url, trust = replicas.url, replicas.trust
    first = Follower("POST", f"{url}/v1/reasoning", trust, json=BODY)
    eventually(lambda: len(first.messages) >= 8, timeout_s=60)
    [doomed] = [server for server in replicas.servers if active(server) == 1]
    [other] = [server for server in replicas.servers if server is not doomed]
    address = f"{url}/v1/reasoning/{first.id}"
    # nginx gives it to the replica with fewer connections: not to the one that streams.
    seen = first.messages[3].last_event_id
    second = Follower("GET", f"{address}/events", trust, headers={"Last-Event-ID": seen})
    eventually(lambda: len(second.messages) >= 4, timeout_s=60)
    assert second.messages[:4] == first.messages[4:8]

    assert doomed.end(signal.SIGKILL) == -signal.SIGKILL
    first.join(timeout=60)
    assert first.is_broken
    second.join(timeout=60)
    assert not second.is_broken
    kinds = [message.event for message in second.messages]
    assert kinds[-2:] == ["usage", "error"]
    assert kinds.count("error") == 1
    assert json.loads(second.messages[-1].data)["code"] == "interrupted"
    assert second.numbers == sorted(set(second.numbers))

    # Whoever comes later, and the client whose connection broke, hear the same end.
    last = first.messages[-1].last_event_id
    later = Follower("GET", f"{address}/events", trust, headers={"Last-Event-ID": last})
    later.join(timeout=60)
    assert [message.event for message in later.messages][-2:] == ["usage", "error"]
    assert later.messages[-1] == second.messages[-1]
    trace = httpx.get(address, verify=trust).json()
    assert trace["id"] == first.id
    # It can be sent again.
    again = Follower("POST", f"{url}/v1/reasoning", trust, json=BODY)
    eventually(lambda: len(again.messages) >= 2, timeout_s=60)
    assert active(other) == 1
    assert httpx.delete(f"{url}/v1/reasoning/{again.id}", verify=trust, timeout=30).status_code == 204
    again.join(timeout=60)
    assert [message.event for message in again.messages][-2:] == ["usage", "cancelled"]


def test_a_replica_that_drains_sends_new_requests_on_and_streams_to_their_end(
    replicas: Any, eventually: Any
) -> None:
    url, trust = replicas.url, replicas.trust
    first = Follower("POST", f"{url}/v1/reasoning", trust, json=BODY | {"max_completion_tokens": 60})
    eventually(lambda: len(first.messages) >= 2, timeout_s=60)
    [leaving] = [server for server in replicas.servers if active(server) == 1]
    [other] = [server for server in replicas.servers if server is not leaving]
    ended: list[int] = []
    draining = threading.Thread(target=lambda: ended.append(leaving.end(signal.SIGTERM)))
    draining.start()
    eventually(lambda: httpx.get(f"{leaving.url}/ready").status_code == 503, timeout_s=30)
    # Asked by itself it refuses; through nginx the other one takes it.
    assert httpx.post(f"{leaving.url}/v1/reasoning", json=BODY).status_code == 503
    followers = [Follower("POST", f"{url}/v1/reasoning", trust, json=BODY) for _ in range(4)]
    eventually(lambda: active(other) == 4, timeout_s=60)
    first.join(timeout=120)
    assert not first.is_broken
    assert [message.event for message in first.messages][-2:] == ["usage", "done"]
    draining.join(timeout=60)
    assert ended == [0]
    for follower in followers:
        with contextlib.suppress(httpx.TransportError):
            httpx.delete(f"{url}/v1/reasoning/{follower.id}", verify=trust, timeout=30)
        follower.join(timeout=60)
        assert [message.event for message in follower.messages][-1] == "cancelled"


def test_a_rolling_restart_under_load_loses_nothing() -> None:
    command: list[str | Path] = [
        sys.executable,
        FOLDER / "rolling_restart.py",
        "--replicas",
        "2",
        "--clients",
        "8",
    ]
    done = subprocess.run(
        [*command, "--rounds", "1"], capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    [figures] = [
        line for line in done.stdout.splitlines() if line.startswith("| ") and "requests" not in line
    ]
    num_requests, num_done, num_refused, num_lost, _, num_restarts = map(int, figures.split("|")[1:7])
    assert num_requests == num_done > 0
    assert (num_refused, num_lost, num_restarts) == (0, 0, 2)
