"""Probes: /health says whether the process should live, /ready whether it takes requests."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from steiner.server.api.dependencies import ServiceOfApp
from steiner.server.generations.store.base import StoreState
from steiner.server.model.lifecycle import Phase
from steiner.server.model.service import Service

router = APIRouter(tags=["probes"])


class Health(BaseModel):
    """The phase that the process is in, which decides the status of the answer, and the state of its store."""

    status: Phase = Field(description="loading, ready, draining or failed.")
    store: StoreState = Field(
        description="closed before it is needed; failing while generations cannot be saved: they run on from memory."
    )


@router.get("/health", summary="Liveness", responses={200: {"model": Health}, 503: {"model": Health}})
async def health(service: ServiceOfApp) -> JSONResponse:
    """200 while the process can do its work or is on its way there; 503 once the engine is gone."""
    await service.check_engine()
    return _answer(service, 503 if service.lifecycle.phase == "failed" else 200)


@router.get("/ready", summary="Readiness", responses={200: {"model": Health}, 503: {"model": Health}})
async def ready(service: ServiceOfApp) -> JSONResponse:
    """200 when new generations are taken; 503 while loading, draining or failed."""
    await service.check_engine()
    return _answer(service, 200 if service.lifecycle.phase == "ready" else 503)


def _answer(service: Service, status_code: int) -> JSONResponse:
    health = Health(status=service.lifecycle.phase, store=service.generations.store_state)
    return JSONResponse(health.model_dump(), status_code=status_code)
