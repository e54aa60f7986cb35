"""Refuses bodies that are too long before they are in memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware. A plain one, because Starlette's base class costs a task and a queue per chunk sent.

    Args:
        app: what it guards.
        max_bytes: longest body read.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        num_bytes = 0

        async def counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            if message["type"] == "http.request":
                num_bytes += len(message.get("body", b""))
                if num_bytes > self._max_bytes:
                    # Not an error of ours: FastAPI lets only this one through while it reads a body.
                    raise HTTPException(
                        413, f"the body is longer than {self._max_bytes} bytes; send a shorter one"
                    )
            return message

        await self._app(scope, counted, send)
