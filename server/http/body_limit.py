"""Refuses bodies that are too long, take too long to arrive, or are compressed, before they fill memory."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware. A plain one, because Starlette's base class costs a task and a queue per chunk sent.

    Args:
        app: what it guards.
        max_bytes: longest body read.
        timeout_s: from the end of the head to that of the body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        codings = _codings(Headers(scope=scope))
        num_bytes = 0
        is_whole = False
        deadline = asyncio.get_running_loop().time() + self._timeout_s

        async def counted() -> Message:
            nonlocal num_bytes, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    408,
                    f"the body did not arrive within {self._timeout_s:g} s; send it faster",
                    headers={"Connection": "close"},
                ) from error
            if message["type"] == "http.request":
                is_whole = not message.get("more_body", False)
                num_bytes += len(message.get("body", b""))
                if codings and num_bytes:
                    raise HTTPException(
                        415,
                        f"the body is encoded ({', '.join(codings)[:80]}), and this server reads plain JSON "
                        "alone; send it without compression",
                        # RFC 9110, 15.5.16: says which coding would be accepted.
                        headers={"Accept-Encoding": "identity"},
                    )
                if num_bytes > self._max_bytes:
                    # Not one of our errors, because FastAPI lets only this one through while it reads a body.
                    raise HTTPException(
                        413, f"the body is longer than {self._max_bytes} bytes; send a shorter one"
                    )
            return message

        await self._app(scope, counted, send)


def _codings(headers: Headers) -> list[str]:
    """What a body was encoded with, its transfer coding included. Codings that change nothing are left out."""
    named = [*headers.getlist("content-encoding"), *headers.getlist("transfer-encoding")]
    codings = [coding.strip() for value in named for coding in value.split(",")]
    return [coding for coding in codings if coding.lower() not in ("", "identity", "chunked")]
