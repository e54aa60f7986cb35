"""Real HTTP servers over scripted engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from steiner.server.app import create_app
from steiner.server.scripted_engine import ScriptedEngine
from steiner.server.service import Service


@dataclass(frozen=True, slots=True)
class Served:
    """A listening server and what is behind it."""

    url: str
    service: Service
    engine: ScriptedEngine


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Poll until something happened in the server's thread."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def serve(stage: Any) -> Iterator[Callable[..., Served]]:
    """Start servers; they stop with the module's last test."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(engine: ScriptedEngine, **settings: object) -> Served:
        service = stage.service(engine, **settings)
        config = uvicorn.Config(create_app(service), port=0, lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        return Served(f"http://127.0.0.1:{port}", service, engine)

    yield start
    for server, thread in running:
        server.force_exit = server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    return wait_until
