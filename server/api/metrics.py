"""GET /metrics: steiner's and vLLM's own, in the Prometheus text format."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from steiner.server.api.dependencies import ServiceOfApp
from steiner.server.api.documentation.responses import refusals

router = APIRouter(tags=["probes"])


PAGE = {
    "content": {"text/plain": {"schema": {"type": "string"}, "example": "steiner_generations_active 1.0"}}
}


async def _count_tasks(service: ServiceOfApp) -> None:
    """On the event loop, which is the only place to ask it."""
    service.metrics.tasks.set(len(asyncio.all_tasks()))


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=PlainTextResponse,
    responses={200: PAGE, **refusals(401)},
    dependencies=[Depends(_count_tasks)],
)
def metrics(service: ServiceOfApp) -> Response:
    """One page; a plain function, so that writing it does not hold up the event loop."""
    return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)
