"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from steiner.server.access.caller import ANONYMOUS, Caller
from steiner.server.service import Service


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def _caller() -> Caller:
    return ANONYMOUS


ServiceOfApp = Annotated[Service, Depends(_service)]
CallerOfRequest = Annotated[Caller, Depends(_caller)]
