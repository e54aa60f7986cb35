"""The FastAPI application over one service."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from steiner.server.access.keys import KeyRing
from steiner.server.api import health, metrics, models, view
from steiner.server.api.chat import route as chat
from steiner.server.api.documentation import pages
from steiner.server.api.documentation.responses import install_document
from steiner.server.api.reasoning import route as reasoning
from steiner.server.api.responses import route as responses
from steiner.server.http.access_log import RequestLog
from steiner.server.http.authentication import OPEN_PATHS, Authentication
from steiner.server.http.body_limit import BodyLimit
from steiner.server.http.error_handlers import install_error_handlers
from steiner.server.http.head_requests import HeadRequests
from steiner.server.http.tracing import traced
from steiner.server.model.service import Service

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# The headers of an answer that a script on an allowed origin may read.
EXPOSED_HEADERS = [
    "content-location",
    "x-request-id",
    "retry-after",
    *(
        f"x-ratelimit-{what}-{kind}"
        for what in ("limit", "remaining", "reset")
        for kind in ("requests", "tokens")
    ),
]

DESCRIPTION = """Reasoning as a tree of typed, verified steps, behind OpenAI's chat completions and
Responses, and as a stream of events."""


def create_app(service: Service, provider: TracerProvider | None = None) -> FastAPI:
    """Routes, errors and limits; the caller starts and stops the service.

    Args:
        provider: makes a span for each request; None for no spans.
    """
    settings = service.settings
    app = FastAPI(
        title="Steiner",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        version=version("steiner"),
        root_path=settings.root_path,
        # A path that ends in a slash is another path. FastAPI would redirect clients to an address made of `Host`.
        redirect_slashes=False,
    )
    app.state.service = service
    for module in (chat, responses, reasoning, models, health, metrics, pages):
        app.include_router(module.router)
    if settings.view:
        app.include_router(view.router)
    install_document(app)
    _add_layers(app, service, provider)
    return app


def _add_layers(app: FastAPI, service: Service, provider: TracerProvider | None) -> None:
    """What a request passes before it comes to a route; the last one added is the first to see it."""
    settings = service.settings

    def count_refusal(reason: str) -> None:
        service.metrics.refused.labels(reason).inc()

    install_error_handlers(app, count_refusal)
    app.add_middleware(HeadRequests)
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes, timeout_s=settings.request_timeout_s)
    app.add_middleware(
        Authentication,
        keys=KeyRing(settings.api_keys, [key.get_secret_value() for key in settings.api_key]),
        open_paths=OPEN_PATHS if settings.protect_metrics else OPEN_PATHS | {"/metrics"},
        open_folders=view.OPEN_FOLDERS,
        count_refusal=count_refusal,
    )
    if settings.allowed_origins:
        # Before the keys are checked: a browser first asks without one (Fetch standard, CORS preflight).
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=settings.allowed_methods,
            allow_headers=settings.allowed_headers,
            allow_credentials=settings.allow_credentials,
            expose_headers=EXPOSED_HEADERS,
        )
    if provider is not None:
        app.add_middleware(traced, provider=provider)
    app.add_middleware(RequestLog)
