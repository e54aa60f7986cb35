"""The listening side: uvicorn, with connections that do not wait forever for the rest of a request."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from steiner.server.http.http1_parser import Http1Parser
from steiner.server.settings import Settings

# How long a connection may take to send its last bytes, once every generation has ended.
CLOSE_CONNECTIONS_S = 5
# The application comes first, with a proper answer, if a body takes too long.
GRACE_S = 1.0


class ListenerError(Exception):
    """Nothing can listen with these settings; the message names them."""


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's, with a limit on the size of a request's head and on the time until the whole request has arrived.

    Without the second, a client that sends a byte now and then holds a connection for nothing. Offers to switch to
    another protocol are ignored. That includes WebSocket, which is not served.
    """

    max_head_bytes: ClassVar[int]
    timeout_s: ClassVar[float]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parser: Http1Parser = Http1Parser(self, self._head_without_offer)  # type: ignore[assignment]
        self._num_head_bytes = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the head has become too large."""
        if self._in_head:
            self._num_head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._num_head_bytes > self.max_head_bytes:
            self._refuse(
                "431 Request Header Fields Too Large",
                f"the head of a request may have {self.max_head_bytes} bytes",
            )

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self._timer is None:
            self._expect_rest()

    def on_headers_complete(self) -> None:
        """The body begins."""
        if self._offers_upgrade:
            return
        self._in_head, self._num_head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request has arrived."""
        if self._offers_upgrade:
            return
        self._in_head = True
        self._stop_timer()
        super().on_message_complete()

    @property
    def _offers_upgrade(self) -> bool:
        """Whether the parser will read this head again without the offer. CONNECT is no offer but a demand."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _head_without_offer(self) -> bytes:
        parser = self.parser
        start = b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())
        fields = [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([start, *fields, b"", b""])

    def _expect_rest(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.timeout_s + GRACE_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self._refuse("408 Request Timeout", f"a request must be whole within {self.timeout_s:g} s")
        elif self.cycle.more_body:
            self.transport.close()
        else:
            # An earlier request is still being answered. The later one has time until that answer is out.
            self._expect_rest()

    def _refuse(self, status: str, message: str) -> None:
        if self.transport.is_closing():
            return
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": "bad_request"}
        body = json.dumps({"error": error})
        self.transport.write(
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
        )
        self.transport.close()


def listener(app: ASGIApp, settings: Settings, log_config: dict[str, Any] | None) -> uvicorn.Config:
    """uvicorn's configuration.

    Args:
        log_config: for `logging.config.dictConfig`; None leaves logging as it is.

    Raises:
        ListenerError: the files of TLS cannot be used.
    """
    limits = {"max_head_bytes": settings.max_head_bytes, "timeout_s": settings.request_timeout_s}
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=type("Connection", (GuardedConnection,), limits),
        ws="none",
        ssl_keyfile=settings.ssl_keyfile,
        ssl_certfile=settings.ssl_certfile,
        ssl_ca_certs=settings.ssl_ca_certs,
        ssl_cert_reqs=ssl.CERT_NONE if settings.ssl_ca_certs is None else ssl.CERT_REQUIRED,
        log_level=settings.log_level,
        log_config=log_config,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSE_CONNECTIONS_S,
    )
    try:
        config.load()
    except OSError as error:
        # All files that uvicorn opens here are for TLS, and OpenSSL's own errors do not name them.
        files = {name: getattr(settings, name) for name in ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs")}
        named = ", ".join(f"{name} {path}" for name, path in files.items() if path is not None)
        raise ListenerError(f"TLS cannot be used with {named}: {error}; each is a PEM file") from error
    return config


class DrainingServer(uvicorn.Server):
    """Uvicorn without its signal handlers: they would stop the listener at once and exit with the signal
    instead of 0.
    """

    def __init__(self, config: uvicorn.Config, on_signal: Callable[[int], None]) -> None:
        super().__init__(config)
        self._on_signal = on_signal

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Route SIGTERM and SIGINT to `on_signal` while serving."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
