"""A real HTTP server over a scripted engine, in a thread of the tests' own process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from opentelemetry.sdk.trace import TracerProvider

from steiner.server.app import create_app
from steiner.server.engine.scripted_engine import ScriptedEngine
from steiner.server.http.listener import listener
from steiner.server.model.service import Service


@dataclass(frozen=True, slots=True)
class Served:
    """A listening server and what is behind it; `stop` ends it, and may be called again."""

    url: str
    service: Service
    engine: ScriptedEngine
    loop: asyncio.AbstractEventLoop
    stop: Callable[[], None]


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Poll until something happened in another thread or process."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


class ServerThread:
    """One server; `stop` ends its connections, too."""

    def __init__(self, service: Service, provider: TracerProvider | None = None) -> None:
        self._service = service
        settings = service.settings.model_copy(update={"port": 0, "log_level": "warning"})
        config = listener(create_app(service, provider), settings, None)
        self._server = uvicorn.Server(config)
        self.loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()])
        self._thread.start()
        wait_until(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http{'s' if config.is_ssl else ''}://127.0.0.1:{port}"

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self._server.serve()
        await self._service.close()

    def stop(self) -> None:
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
