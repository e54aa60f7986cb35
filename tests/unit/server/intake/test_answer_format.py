"""What a request's answer is held to, and which schemas are refused before the engine sees them."""

from __future__ import annotations

from typing import Any

import pytest

from steiner.server.api.chat.request import ChatRequest
from steiner.server.errors import InvalidRequest
from steiner.server.intake.answer_grammar import json_grammar
from steiner.server.intake.answer_rules import resolve_answer_format


def asked_for(response_format: Any, **fields: Any) -> ChatRequest:
    return ChatRequest.model_validate(
        {"messages": [{"role": "user", "content": "make 22"}], "response_format": response_format} | fields
    )


def named(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def tool(parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters} | fields}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def record(num_properties: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {f"p{i}": {"type": "integer"} for i in range(num_properties)},
    } | fields


@pytest.mark.parametrize("response_format", [None, {"type": "text"}])
async def test_text_is_no_format(response_format: Any) -> None:
    assert await resolve_answer_format(asked_for(response_format)) is None


async def test_any_object_is_a_schema_of_its_own() -> None:
    answer_format = await resolve_answer_format(asked_for({"type": "json_object"}))
    assert answer_format is not None
    assert answer_format.name == "a JSON object"
    assert answer_format.grammar == json_grammar({"type": "object"})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(70), "nested deeper than 64"),
        ({"enum": ["x" * 120_000]}, "of 120000 at most"),
        (record(700), "optional properties at one place, of 600 at most"),
        (record(1, required=[1, {}]), "required at '/required'"),
        ({"type": "object", "properties": {"a": {"minimun": 1}}}, "minimun at '/properties/a/minimun'"),
    ],
)
async def test_a_schema_that_cannot_be_enforced_is_refused(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refusal:
        await resolve_answer_format(asked_for(named(schema)))
    assert refusal.value.param == "response_format.json_schema.schema"
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "schema", [{}, nested(20), record(100), record(300, required=[f"p{i}" for i in range(300)])]
)
async def test_a_schema_of_ordinary_size_is_taken(schema: dict[str, Any]) -> None:
    answer_format = await resolve_answer_format(asked_for(named(schema)))
    assert answer_format is not None
    assert answer_format.grammar == json_grammar(schema)


NOT_ENFORCED: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string", "format": "colour"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"$ref": "https://example.com/a"}}},
    {"type": "object", "nullable": True},
    {"properties": {"a": {"type": "integer"}}},
    {"anyOf": [{"type": "string"}, {"type": "object"}]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    {"type": "OBJECT", "properties": 5},
    {"type": "object", "properties": {"a": False}, "required": ["a"]},
]


@pytest.mark.parametrize("parameters", NOT_ENFORCED, ids=range(len(NOT_ENFORCED)))
@pytest.mark.parametrize("tool_choice", ["auto", "required"])
async def test_a_tool_that_is_not_strict_never_makes_a_request_fail(
    parameters: dict[str, Any], tool_choice: str
) -> None:
    for strictness in ({}, {"strict": False}, {"strict": None}):
        request = asked_for(None, tools=[tool(parameters, **strictness)], tool_choice=tool_choice)
        answer_format = await resolve_answer_format(request)
        assert answer_format is not None
        assert answer_format.may_call


@pytest.mark.parametrize("parameters", [*NOT_ENFORCED[:3], *NOT_ENFORCED[5:]], ids=range(6))
async def test_a_strict_tool_is_enforced_or_refused_at_its_place(parameters: dict[str, Any]) -> None:
    request = asked_for(None, tools=[tool({"type": "object"}), tool(parameters, name="g", strict=True)])
    with pytest.raises(InvalidRequest) as refusal:
        await resolve_answer_format(request)
    assert refusal.value.param == "tools.1.function.parameters"
