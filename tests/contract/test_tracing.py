"""Traces: a caller's W3C context goes through to the engine, and with an endpoint a real collector gets spans."""

from typing import Any

import httpx
import pytest

from steiner.server.http.tracing import TracingError, otlp_exporter, tracer_provider

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER_SPAN = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER_SPAN}-01", "tracestate": "vendor=1"}


def test_without_an_endpoint_the_callers_context_reaches_the_engine(stage: Any, serve: Any) -> None:
    engine = stage.engine(stage.one_step)
    served = serve(engine)
    for path in ("/v1/chat/completions", "/v1/reasoning"):
        assert httpx.post(served.url + path, json=BODY, headers=PARENT).status_code == 200
        assert engine.requests[-1].trace_headers == PARENT
    httpx.post(f"{served.url}/v1/chat/completions", json=BODY)
    assert engine.requests[-1].trace_headers == {}


def test_with_one_each_request_is_a_span_between_caller_and_engine(
    stage: Any, serve: Any, collector: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    provider = tracer_provider(otlp_exporter(collector.endpoint))
    engine = stage.engine(stage.one_step)
    server = serve(engine, provider)
    answer = httpx.post(f"{server.url}/v1/reasoning", json=BODY, headers=PARENT | {"X-Request-Id": "abc"})
    assert answer.status_code == 200
    assert httpx.get(f"{server.url}/ready").status_code == 200
    eventually(lambda: provider.force_flush() and collector.spans)
    provider.shutdown()
    [(service, span)] = collector.spans
    assert service == "steiner"
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == CALLER_SPAN
    assert {attribute.key: attribute.value.string_value for attribute in span.attributes}[
        "steiner.request_id"
    ] == "abc"
    assert engine.requests[0].trace_headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert "make 22" not in str(span)


def test_an_unknown_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "pigeon")
    with pytest.raises(TracingError, match="'pigeon'"):
        otlp_exporter("http://127.0.0.1:4317")
