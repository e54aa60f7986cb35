"""The outermost layer of the application: gives every request an id, and logs one line when it ends."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steiner.server.http.event_stream import SEND_OF_SERVER
from steiner.server.http.request_context import RequestContext, enter_request, path_below_root, request_id_of

logger = logging.getLogger("steiner.access")

# Machines ask for these every few seconds, so they are logged at debug level only.
PROBES = frozenset({"/health", "/ready", "/metrics"})
# nginx's status for a client that left before it had an answer.
CLIENT_LEFT = 499
TRACE_HEADERS = ("traceparent", "tracestate")
# A browser must not guess an answer's type, nor pass on its address.
SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class RequestLog:
    """ASGI middleware.

    Args:
        app: what it wraps.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log it: never its query, its headers or its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = RequestContext(
            request_id_of(headers.get("x-request-id")),
            trace_headers={name: headers[name] for name in TRACE_HEADERS if name in headers},
        )
        enter_request(context)
        status, completed = CLIENT_LEFT, False

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(scope=message)
                added["x-request-id"] = context.id
                for name, value in (SECURITY_HEADERS | context.response_headers).items():
                    added.setdefault(name, value)
            await send(message)

        scope[SEND_OF_SERVER] = send
        try:
            await self._app(scope, receive, with_headers)
            completed = True
        finally:
            # An exception that passes through here is answered with 500 further out, and logged there with its stack.
            _write(scope, context, status if completed else 500)


def _write(scope: Scope, context: RequestContext, status: int) -> None:
    # Percent-encoded, so that a caller's line feed cannot begin a new line.
    path = scope.get("raw_path", b"").decode("ascii", "backslashreplace")
    num_prompt = sum(account.num_prompt_tokens for account in context.accounts)
    num_completion = sum(account.num_completion_tokens for account in context.accounts)
    duration_s = time.monotonic() - context.arrived_s
    level = logging.DEBUG if path_below_root(scope) in PROBES else logging.INFO
    fields = {
        "method": scope["method"],
        "path": path,
        "status": status,
        "duration_s": round(duration_s, 4),
        "caller": context.caller,
        "prompt_tokens": num_prompt,
        "completion_tokens": num_completion,
    }
    if context.accounts:
        fields["generations"] = [account.generation_id for account in context.accounts]
    logger.log(
        level,
        "%s %s %d, %.3f s, caller %s, %d prompt and %d completion tokens",
        scope["method"],
        path,
        status,
        duration_s,
        context.caller,
        num_prompt,
        num_completion,
        extra={"fields": fields},
    )
