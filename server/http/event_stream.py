"""The stream of server-sent events that chat, steps and responses are answered with.

It is the hot path, with one `send` for each piece. sse-starlette would open a cancel scope around every send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"
SEND_OF_SERVER = "steiner.send"
"""Key in the scope: what the outermost layer was given to send with.

The layers in between look at the start of an answer and at its end, which go through them; what is between
the two does not. A layer that changes more than that puts its own `send` here.
"""


class EventStream(Response):
    """A stream of ready-made server-sent events.

    Args:
        body: pieces of the stream, each one or more whole events.
        keep_alive_s: interval of comments on an idle stream; 0 for none.
        send_timeout_s: how long the client may take nothing before it is cut off.
        cancel: ends the generation, and `body` with it, when the client leaves; called at the end of the stream, too.
            Without it the generation goes on, and only the stream ends.
        location: relative address of what is streamed, for those who lose the stream before its first event.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        body: AsyncGenerator[bytes, None],
        *,
        keep_alive_s: float,
        send_timeout_s: float,
        cancel: Callable[[], None] | None = None,
        location: str | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        # No length: the transport sends in chunks until the stream ends.
        located = {"Content-Location": location} if location else {}
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", **located})
        del self.headers["content-length"]
        self._pieces = body
        self._keep_alive_s = keep_alive_s
        self._cancel = cancel
        self._is_idle = True
        self._send_timeout_s = send_timeout_s
        self._num_sent = 0
        self._is_sending = False
        self._is_ended_early = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream; a client that takes nothing loses its connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # A task of its own: one that waits inside of the application is woken through every layer around it,
        # twenty calls for each piece.
        sender = asyncio.create_task(self._send_pieces(scope.get(SEND_OF_SERVER, send)))
        tasks = [
            asyncio.create_task(self._watch(receive, sender)),
            asyncio.create_task(self._cut_off(sender, scope["path"])),
        ]
        if self._keep_alive_s:
            tasks.append(asyncio.create_task(self._keep_alive(send)))
        try:
            await sender
            for task in tasks:
                task.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            # The server closes a connection whose answer is not complete.
            if not self._is_ended_early:
                raise
        finally:
            for task in tasks:
                task.cancel()
            if self._cancel is not None:
                self._cancel()

    async def _send_pieces(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                self._is_sending = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._is_idle = self._is_sending = False
                self._num_sent += 1

    async def _watch(self, receive: Receive, sender: asyncio.Task[None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if self._cancel is not None:
            self._cancel()
        else:
            self._end(sender)

    async def _cut_off(self, sender: asyncio.Task[None], path: str) -> None:
        """Instead of a timeout around each piece, which would cost as much as sending it."""
        while True:
            num_sent = self._num_sent
            await asyncio.sleep(self._send_timeout_s)
            if self._is_sending and self._num_sent == num_sent:
                logger.info("a reader of %s took nothing for %g s: cut off", path, self._send_timeout_s)
                self._end(sender)
                return

    def _end(self, sender: asyncio.Task[None]) -> None:
        """End the stream in front of its end."""
        self._is_ended_early = True
        sender.cancel()

    async def _keep_alive(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_s)
            if self._is_idle:
                await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
            self._is_idle = True
