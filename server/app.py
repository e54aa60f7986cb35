"""The FastAPI application over one service."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from steiner.server.access.keys import KeyRing
from steiner.server.auth import OPEN_PATHS, Authentication
from steiner.server.body_limit import BodyLimit
from steiner.server.errors import install_error_handlers
from steiner.server.routes import chat, documentation, health, metrics, models, reasoning
from steiner.server.routes.documented import install_document
from steiner.server.schemas import chat as chat_schemas
from steiner.server.service import Service

DESCRIPTION = """Reasoning as a tree of typed, verified steps, behind OpenAI's chat completions and as a
stream of events."""


def create_app(service: Service) -> FastAPI:
    """Routes, errors and limits; the caller starts and stops the service."""
    app = FastAPI(
        title="Steiner", description=DESCRIPTION, docs_url=None, redoc_url=None, version=version("steiner")
    )
    app.state.service = service
    settings = service.settings

    def count_refusal(reason: str) -> None:
        service.metrics.refused.labels(reason).inc()

    install_error_handlers(app, count_refusal, chat_schemas.FIELD_NAMES)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(
        Authentication,
        keys=KeyRing(settings.api_keys, [key.get_secret_value() for key in settings.api_key]),
        open_paths=OPEN_PATHS if settings.protect_metrics else OPEN_PATHS | {"/metrics"},
        count_refusal=count_refusal,
    )
    for module in (chat, reasoning, models, health, metrics, documentation):
        app.include_router(module.router)
    install_document(app)
    return app
