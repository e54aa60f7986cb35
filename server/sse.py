"""Event streams over HTTP; the only user of sse-starlette.

Two differences from its `EventSourceResponse`, both needed here:
1. The body yields finished bytes, one piece per batch of events, so the response does no work per event.
2. `on_close` runs however the response ends, also when the client left before the first byte: a
   generator that was never started has no `finally` to run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.types import Receive, Scope, Send

# The server drains by itself (lifecycle.py): streams run to their own end, and a late one is cancelled,
# which ends it with an event that says so.
AppStatus.enable_automatic_graceful_drain = False


class EventStream(EventSourceResponse):
    """A stream of ready-made server-sent events.

    Args:
        body: pieces of the stream, each one or more whole events.
        keep_alive_s: interval of comments on an idle stream; 0 for none.
        on_close: called once when the response is over.
    """

    media_type = "text/event-stream"

    def __init__(
        self, body: AsyncIterator[bytes], *, keep_alive_s: float, on_close: Callable[[], None] | None = None
    ) -> None:
        super().__init__(
            body,
            sep="\n",
            ping=keep_alive_s,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
        )
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._on_close is not None:
                self._on_close()
