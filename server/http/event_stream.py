"""Server-sent events: the stream of chat chunks, and the stream of steps.

The chunks are the hot path, so they have a response of their own, with one `send` for each piece. sse-starlette, which
carries the steps, opens a cancel scope around every send and runs four tasks a response; here a disconnect ends the
generation, and the end of the generation ends the stream, so nothing needs to be cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus, SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"
SEND_OF_SERVER = "steiner.send"
"""Key in the scope: what the outermost layer was given to send with.

The layers in between look at the start of an answer and at its end, which go through them; what is between
the two does not.
"""

# The server drains by itself (lifecycle.py): streams run to their own end, and a late one is cancelled,
# which ends it with an event that says so.
AppStatus.enable_automatic_graceful_drain = False


class ChunkStream(Response):
    """A stream of ready-made server-sent events that ends by itself once `on_close` was called.

    Args:
        body: pieces of the stream, each one or more whole events.
        keep_alive_s: interval of comments on an idle stream; 0 for none.
        send_timeout_s: how long the client may take nothing before it is cut off.
        on_close: called when the client leaves, and at the end.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        body: AsyncIterator[bytes],
        *,
        keep_alive_s: float,
        send_timeout_s: float,
        on_close: Callable[[], None],
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        # No length: the transport sends in chunks until the stream ends.
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._pieces = body
        self._keep_alive_s = keep_alive_s
        self._on_close = on_close
        self._is_idle = True
        self._send_timeout_s = send_timeout_s
        self._num_sent = 0
        self._is_sending = False
        self._is_cut_off = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # A task of its own: one that waits inside of the application is woken through every layer around it,
        # twenty calls for each piece.
        sender = asyncio.create_task(self._send_pieces(scope.get(SEND_OF_SERVER, send)))
        tasks = [asyncio.create_task(self._watch(receive)), asyncio.create_task(self._cut_off(sender))]
        if self._keep_alive_s:
            tasks.append(asyncio.create_task(self._keep_alive(send)))
        try:
            await sender
            for task in tasks:
                task.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not self._is_cut_off:
                raise
            # The server closes a connection whose answer is not complete.
            logger.info("a reader of %s took nothing for %g s: cut off", scope["path"], self._send_timeout_s)
        finally:
            for task in tasks:
                task.cancel()
            self._on_close()

    async def _send_pieces(self, send: Send) -> None:
        async for piece in self._pieces:
            self._is_sending = True
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._is_idle = self._is_sending = False
            self._num_sent += 1

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._on_close()

    async def _cut_off(self, sender: asyncio.Task[None]) -> None:
        """Instead of a timeout around each piece, which would cost as much as sending it."""
        while True:
            num_sent = self._num_sent
            await asyncio.sleep(self._send_timeout_s)
            if self._is_sending and self._num_sent == num_sent:
                self._is_cut_off = True
                sender.cancel()
                return

    async def _keep_alive(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_s)
            if self._is_idle:
                await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
            self._is_idle = True


class EventStream(EventSourceResponse):
    """A stream of ready-made server-sent events; leaving it disturbs nobody.

    Args:
        body: pieces of the stream, each one or more whole events.
        keep_alive_s: interval of comments on the stream; 0 for none.
        send_timeout_s: how long the client may take nothing before it is cut off.
        location: relative address of what is streamed, for those who lose the stream before its first event.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        body: AsyncIterator[bytes],
        *,
        keep_alive_s: float,
        send_timeout_s: float,
        location: str | None = None,
    ) -> None:
        super().__init__(
            body,
            headers={"Content-Location": location} if location else None,
            sep="\n",
            send_timeout=send_timeout_s,
            ping=keep_alive_s,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream; a client that takes nothing loses its connection, and nothing else."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            logger.info("a reader of %s took nothing for %g s: cut off", scope["path"], self.send_timeout)
