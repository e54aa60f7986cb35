"""HEAD wherever GET is: the same answer without its content (RFC 9110, 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steiner.server.http.event_stream import SEND_OF_SERVER


class HeadRequests:
    """ASGI middleware directly around the routes, because FastAPI's GET routes do not serve HEAD.

    Args:
        app: what it wraps.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. For HEAD, send only the head of the answer."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            # Ends with its head, so that a stream does not run on for nobody. The server then reports that the client
            # has left.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET", SEND_OF_SERVER: send_head}, receive, send_head)
