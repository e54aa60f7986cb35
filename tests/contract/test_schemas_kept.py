"""Schemas over HTTP: kept, or refused with 400 before any reasoning, by keyword and place, on every endpoint."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

USER = {"role": "user", "content": "make 22 from 15 4 11"}
ENDPOINTS = ("chat", "reasoning", "responses")


def closed(schema: Any, **more: Any) -> dict[str, Any]:
    whole = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    return whole | more


def lists(number: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(number):
        schema = {"items": schema}
    return schema


# schema, the keyword that is named and its place
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a reference to a URL": (closed({"$ref": "https://example.com/x"}), "$ref", "/properties/a/$ref"),
    "a circle": (
        closed({"$ref": "#/$defs/x"}, **{"$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}}),
        "$ref",
        "/$defs/y/$ref",
    ),
    "a constant of another type": (closed({"type": "string", "const": 5}), "const", "/properties/a/const"),
    "items that differ": (
        closed({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        "uniqueItems",
        "/properties/a/uniqueItems",
    ),
    "an unknown keyword": (closed({"minimun": 5}), "minimun", "/properties/a/minimun"),
    "a pattern that is none": (
        closed({"type": "string", "pattern": "("}),
        "pattern",
        "/properties/a/pattern",
    ),
    "a lookbehind": (closed({"pattern": "(?<=a)b", "type": "string"}), "pattern", "/properties/a/pattern"),
    "a name with a slash": (
        {"type": "object", "properties": {"a/b~": {"type": "strin"}}},
        "type",
        "/properties/a~1b~0/type",
    ),
    "no end": (closed({"$ref": "#"}), "$ref", "/properties/a/$ref"),
    "too deep": (
        {"type": "object", "properties": {"a": lists(70)}},
        "items",
        "/properties/a" + "/items" * 63,
    ),
}


def of_format(endpoint: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """The path, what is sent, and the field that holds the schema."""
    described = {"name": "x", "schema": schema, "strict": True}
    if endpoint == "responses":
        text = {"format": {"type": "json_schema", **described}}
        return "/v1/responses", {"input": "make 22", "text": text}, "text.format.schema"
    path = {"chat": "/v1/chat/completions", "reasoning": "/v1/reasoning"}[endpoint]
    response_format = {"type": "json_schema", "json_schema": described}
    body = {"messages": [USER], "response_format": response_format}
    return path, body, "response_format.json_schema.schema"


def of_function(endpoint: str, schema: dict[str, Any], *, strict: bool) -> tuple[str, dict[str, Any], str]:
    """The same for the parameters of a function."""
    function = {"name": "f", "parameters": schema, "strict": strict}
    if endpoint == "responses":
        tool = {"type": "function", **function}
        return "/v1/responses", {"input": "make 22", "tools": [tool]}, "tools.0.parameters"
    path = {"chat": "/v1/chat/completions", "reasoning": "/v1/reasoning"}[endpoint]
    tools = [{"type": "function", "function": function}]
    return path, {"messages": [USER], "tools": tools}, "tools.0.function.parameters"


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(f"<start>{stage.step()}<end>", "22<eot>"))


def refusal_of(served: Any, path: str, body: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """The error of a request that no engine is to see. Steps are always streamed."""
    num_before = len(served.engine.requests)
    sent = body if path == "/v1/reasoning" else body | {"stream": stream}
    answer = httpx.post(served.url + path, json=sent, timeout=60)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert len(served.engine.requests) == num_before
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("case", REFUSED)
def test_a_schema_is_refused_before_any_reasoning(
    served: Any, case: str, endpoint: str, stream: bool
) -> None:
    schema, keyword, pointer = REFUSED[case]
    path, body, field = of_format(endpoint, schema)
    error = refusal_of(served, path, body, stream=stream)
    assert error["param"] == field
    assert f" cannot be enforced: {keyword} at '{pointer}': " in error["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("case", REFUSED)
def test_strict_parameters_are_refused_likewise(served: Any, case: str, endpoint: str, stream: bool) -> None:
    schema, keyword, pointer = REFUSED[case]
    path, body, field = of_function(endpoint, schema, strict=True)
    error = refusal_of(served, path, body, stream=stream)
    assert error["param"] == field
    assert f" cannot be enforced: {keyword} at '{pointer}': " in error["message"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("case", REFUSED)
def test_other_parameters_are_never_refused(served: Any, case: str, endpoint: str) -> None:
    path, body, _ = of_function(endpoint, REFUSED[case][0], strict=False)
    answer = httpx.post(served.url + path, json=body, timeout=60)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_schema_reaches_the_engine_as_a_grammar(
    stage: Any, serve: Any, byte_grammar: Any, endpoint: str
) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}<end>", "22<eot>"))
    path, body, _ = of_format(endpoint, closed({"type": "integer", "minimum": 5, "maximum": 9}))
    answer = httpx.post(served.url + path, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    asked = served.engine.requests[-1].grammar
    assert re.search(r"^start: answer <\[\d+\]>$", asked, re.MULTILINE)
    grammar = byte_grammar(asked.partition("start: answer")[2].partition("\n")[2])
    assert grammar.takes('{"a": 7}')
    assert not grammar.takes('{"a": 4}')


def test_the_official_client_raises_bad_request(served: Any) -> None:
    client = official_client(served)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "make 22"}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": closed({"format": "mac", "type": "string"})},
            },
        )
    assert refused.value.param == "response_format.json_schema.schema"
    assert "format at '/properties/a/format'" in json.dumps(refused.value.body)
