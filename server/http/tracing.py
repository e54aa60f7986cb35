"""OpenTelemetry: a span for each request if an OTLP endpoint is set, and W3C trace context for the engine.

As with vLLM, the protocol is the one in OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: `grpc`, the default, or
`http/protobuf`. Without an endpoint, nothing of OpenTelemetry is imported, and a caller's trace context still
reaches the engine.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from steiner.server.http.request_context import current_request

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PROTOCOL_VARIABLE = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
UNTRACED = "health,ready,metrics"


class TracingError(Exception):
    """Spans cannot be sent with these settings."""


def otlp_exporter(endpoint: str) -> SpanExporter:
    """Sends spans to a collector.

    Raises:
        TracingError: the protocol that the environment names is unknown.
    """
    protocol = os.environ.get(PROTOCOL_VARIABLE, "grpc")
    match protocol:
        case "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

            return GrpcExporter(endpoint, insecure=endpoint.startswith("http://"))
        case "http/protobuf":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

            return HttpExporter(endpoint)
        case _:
            raise TracingError(f"{PROTOCOL_VARIABLE} is {protocol!r}; it may be grpc or http/protobuf")


def tracer_provider(exporter: SpanExporter) -> TracerProvider:
    """Makes spans named after this service, sent in batches off the event loop.

    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the sampler's variables are the SDK's own.
    """
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    attributes = {SERVICE_VERSION: version("steiner")}
    if "OTEL_SERVICE_NAME" not in os.environ:
        attributes[SERVICE_NAME] = "steiner"
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class EngineTrace:
    """ASGI middleware below the server's span: what the engine does becomes a child of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the engine gets the span's context instead of the caller's."""
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(headers)
        if headers:
            context = current_request()
            context.trace_headers = headers
            trace.get_current_span().set_attribute("steiner.request_id", context.id)
        await self._app(scope, receive, send)


def traced(app: ASGIApp, provider: TracerProvider) -> ASGIApp:
    """The application with a server span around each request. It is a child of the caller's span if there is one."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    # One span for each request: two more for each chunk would cost more than the stream itself.
    wrapped: ASGIApp = OpenTelemetryMiddleware(
        EngineTrace(app), excluded_urls=UNTRACED, tracer_provider=provider, exclude_spans=["receive", "send"]
    )
    return wrapped
