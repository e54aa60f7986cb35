"""How a server process ends: drained, cut short, without a model, without its engine; and what clients see."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.cli.local_server import free_port

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).resolve().parents[1] / "serve_scripted.py"
BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


class Running:
    """A process and where it listens."""

    def __init__(self, drain_timeout_s: float, what: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [sys.executable, PROGRAM, str(port), str(drain_timeout_s), what]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def status(self, path: str) -> int:
        try:
            return httpx.get(self.url + path).status_code
        except httpx.TransportError:
            return 0


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(what: str, drain_timeout_s: float = 60.0) -> Running:
        started.append(Running(drain_timeout_s, what))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


def reading(running: Running, events: list[dict[str, Any]]) -> threading.Thread:
    def read() -> None:
        # A second signal cuts the connection.
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.stream("POST", f"{running.url}/v1/reasoning", json=BODY, timeout=60) as answer,
        ):
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_sigterm_drains_until_the_deadline_and_exits_0(run: Any, eventually: Any) -> None:
    running = run("hold", drain_timeout_s=0.5)
    eventually(lambda: running.status("/ready") == 200, timeout_s=60)
    first: list[dict[str, Any]] = []
    second: list[dict[str, Any]] = []
    threads = [reading(running, first)]
    eventually(lambda: len(first) >= 2)
    threads.append(reading(running, second))
    eventually(lambda: len(second) == 1)
    running.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(timeout=30)
    # The one that ran was given its time; the one that waited was sent away at once.
    assert [event["type"] for event in first[-2:]] == ["usage", "cancelled"]
    assert [event["type"] for event in second] == ["reasoning.started", "usage", "error"]
    assert second[-1]["code"] == "draining"
    assert running.process.wait(timeout=30) == 0


def test_while_draining_it_is_alive_but_not_ready_and_a_second_signal_does_not_wait(
    run: Any, eventually: Any
) -> None:
    running = run("hold")
    eventually(lambda: running.status("/ready") == 200, timeout_s=60)
    events: list[dict[str, Any]] = []
    thread = reading(running, events)
    eventually(lambda: len(events) >= 2)
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: running.status("/ready") == 503)
    assert running.status("/health") == 200
    refused = httpx.post(f"{running.url}/v1/chat/completions", json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 128 + signal.SIGINT
    thread.join(timeout=30)


def test_without_a_model_it_exits_1_and_says_why(run: Any) -> None:
    running = run("refuse")
    _, log = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert "there is no such model" in log
    assert "Traceback" not in log


def test_without_its_engine_it_exits_1(run: Any) -> None:
    running = run("die")
    _, log = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert "the engine has stopped" in log
