"""What a route may ask for, and how it answers with a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from steiner.server.access.keys import Caller
from steiner.server.http.event_stream import EventStream
from steiner.server.model.service import Service


# Both are async although neither waits: FastAPI would run them in a thread, and that costs more than they do.
async def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


# For the API's description only: the key itself is checked before any route (authentication.py).
DESCRIBED = HTTPBearer(auto_error=False, description="A key of this server, where it has any.")


async def _caller(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(DESCRIBED)]
) -> Caller:
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


ServiceOfApp = Annotated[Service, Depends(_service)]
CallerOfRequest = Annotated[Caller, Depends(_caller)]


def stream_of(
    service: Service,
    body: AsyncGenerator[bytes, None],
    *,
    cancel: Callable[[], None] | None = None,
    location: str | None = None,
) -> EventStream:
    """An answer that is a stream, with the deployment's times; see `EventStream`."""
    settings = service.settings
    return EventStream(
        body,
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
        cancel=cancel,
        location=location,
    )
