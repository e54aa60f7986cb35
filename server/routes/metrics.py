"""GET /metrics: steiner's and vLLM's own, in the Prometheus text format."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from steiner.server.routes.dependencies import ServiceOfApp

router = APIRouter(tags=["probes"])


@router.get("/metrics", summary="Prometheus metrics")
def metrics(service: ServiceOfApp) -> Response:
    """One page; a plain function, so that writing it does not hold up the event loop."""
    return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)
