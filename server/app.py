"""The FastAPI application over one service."""

from __future__ import annotations

from fastapi import FastAPI

from steiner.server.body_limit import BodyLimit
from steiner.server.errors import install_error_handlers
from steiner.server.routes import chat, health, metrics, models, reasoning
from steiner.server.schemas import chat as chat_schemas
from steiner.server.service import Service

DESCRIPTION = """Reasoning as a tree of typed, verified steps, behind OpenAI's chat completions and as a
stream of events."""


def create_app(service: Service) -> FastAPI:
    """Routes, errors and limits; the caller starts and stops the service."""
    app = FastAPI(title="Steiner", description=DESCRIPTION, redoc_url=None)
    app.state.service = service
    install_error_handlers(
        app, lambda reason: service.metrics.refused.labels(reason).inc(), chat_schemas.FIELD_NAMES
    )
    app.add_middleware(BodyLimit, max_bytes=service.settings.max_request_bytes)
    for module in (chat, reasoning, models, health, metrics):
        app.include_router(module.router)
    return app
