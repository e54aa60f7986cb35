"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from steiner.server.access.keys import Caller
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
