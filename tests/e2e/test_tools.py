"""Calls on a real engine: whatever the weights, legal ones and nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import openai
import pytest
from tests.official_client import official_client

pytestmark = pytest.mark.e2e

TIMEOUT_S = 180
SCHEMAS: dict[str, dict[str, Any]] = {
    "move": {
        "type": "object",
        "properties": {
            "room": {"enum": ["north", "south"]},
            "steps": {"type": "integer", "minimum": 0, "maximum": 99},
            "note": {"type": "string", "maxLength": 6},
        },
        "required": ["room", "note"],
        "additionalProperties": False,
    },
    "wait": {"type": "object", "properties": {}, "additionalProperties": False},
}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in SCHEMAS.items()
]
ASK: list[Any] = [{"role": "user", "content": "make 22 from 15 4 11"}]


def ask(server: Any, **fields: Any) -> Any:
    client = official_client(server, timeout=TIMEOUT_S)
    policy = {"max_reasoning_tokens": 40, "max_section_tokens": None}
    request: dict[str, Any] = {
        "temperature": 1.0,
        "extra_body": {"reasoning": policy},
        "max_completion_tokens": 400,
    }
    return client.chat.completions.create(
        model=server.model, messages=ASK, **({"tools": TOOLS} | request | fields)
    )


def check(choice: Any) -> list[str]:
    """Names of the calls, each of which is legal."""
    calls = choice.message.tool_calls or []
    for call in calls:
        jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[call.function.name])
    return [call.function.name for call in calls]


@pytest.mark.parametrize("seed", range(4))
def test_a_required_call_is_made(server: Any, seed: int) -> None:
    [choice] = ask(server, tool_choice="required", parallel_tool_calls=False, seed=seed).choices
    names = check(choice)
    assert not choice.message.content
    assert (choice.finish_reason, len(names)) in (("tool_calls", 1), ("length", 0)), server.tail()


def test_some_of_them_come_to_their_end(server: Any) -> None:
    named = {"type": "function", "function": {"name": "wait"}}
    [choice] = ask(server, tool_choice=named, parallel_tool_calls=False, seed=1).choices
    assert choice.finish_reason == "tool_calls"
    assert check(choice) == ["wait"]
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {}


def test_half_a_call_is_none(server: Any) -> None:
    [choice] = ask(server, tool_choice="required", max_completion_tokens=75).choices
    assert choice.finish_reason == "length"
    assert not choice.message.tool_calls
    assert not choice.message.content


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_free_answers_are_text_or_legal_calls(server: Any, choice: str) -> None:
    [said] = ask(server, tool_choice=choice, seed=3, max_completion_tokens=150).choices
    names = check(said)
    assert "<tool_call>" not in (said.message.content or "")
    assert choice == "auto" or not names


def test_parameters_beyond_the_grammar_are_refused_before_anything_is_reasoned(server: Any) -> None:
    pattern = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a(?=b)"}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": pattern, "strict": True}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(server, tools=[tool])
    assert refused.value.param == "tools.0.function.parameters"
    assert "pattern at '/properties/a/pattern'" in refused.value.message
