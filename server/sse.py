"""The step stream over HTTP; the only user of sse-starlette."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus, SendTimeoutError
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

# The server drains by itself (lifecycle.py): streams run to their own end, and a late one is cancelled,
# which ends it with an event that says so.
AppStatus.enable_automatic_graceful_drain = False


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
