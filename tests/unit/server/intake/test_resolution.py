"""What a request's answer is held to, and which schemas are refused before the engine sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from steiner.server.api.chat.request import ChatRequest
from steiner.server.errors import InvalidRequest
from steiner.server.intake.resolution import resolve_answer_format


def asked_for(response_format: Any) -> ChatRequest:
    return ChatRequest.model_validate(
        {"messages": [{"role": "user", "content": "make 22"}], "response_format": response_format}
    )


def named(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


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
async def test_text_is_no_format(stage: Any, response_format: Any) -> None:
    assert await resolve_answer_format(asked_for(response_format), stage.engine("22<eot>")) is None


async def test_any_object_is_a_schema_of_its_own(stage: Any) -> None:
    answer_format = await resolve_answer_format(asked_for({"type": "json_object"}), stage.engine("22<eot>"))
    assert answer_format is not None
    assert answer_format.name == "a JSON object"
    assert json.loads(answer_format.grammar)["format"]["json_schema"] == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(70), "nested deeper than 64"),
        ({"enum": ["x" * 120_000]}, "of 120000 at most"),
        (record(101), "101 optional properties"),
        (record(101, required=[1, {}]), "101 optional properties"),
    ],
)
async def test_a_schema_that_would_hold_up_the_engine_is_refused(
    stage: Any, schema: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as refusal:
        await resolve_answer_format(asked_for(named(schema)), stage.engine("22<eot>"))
    assert refusal.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    "schema", [{}, nested(20), record(100), record(300, required=[f"p{i}" for i in range(300)])]
)
async def test_a_schema_of_ordinary_size_is_taken(stage: Any, schema: dict[str, Any]) -> None:
    answer_format = await resolve_answer_format(asked_for(named(schema)), stage.engine("22<eot>"))
    assert answer_format is not None
    assert json.loads(answer_format.grammar)["format"]["json_schema"] == schema
