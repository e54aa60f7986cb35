"""The step stream over HTTP; the only user of sse-starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus

# The server drains by itself (lifecycle.py): streams run to their own end, and a late one is cancelled,
# which ends it with an event that says so.
AppStatus.enable_automatic_graceful_drain = False


class EventStream(EventSourceResponse):
    """A stream of ready-made server-sent events; leaving it disturbs nobody.

    Args:
        body: pieces of the stream, each one or more whole events.
        keep_alive_s: interval of comments on the stream; 0 for none.
    """

    media_type = "text/event-stream"

    def __init__(self, body: AsyncIterator[bytes], *, keep_alive_s: float) -> None:
        super().__init__(
            body,
            sep="\n",
            ping=keep_alive_s,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
        )
