"""Functions in the Responses API: calls as items, their events, and the conversation behind them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.official_client import official_client

from steiner.reasoning.parser.tool_calls import call_text

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
ASK: dict[str, Any] = {"model": "tiny", "input": "Is it warm in Oslo?", "tools": [WEATHER]}


@pytest.fixture
def script(stage: Any) -> list[str]:
    reasoning = f"<start>{stage.step()}<end>"
    calls = "\n".join(call_text("get_weather", {"city": city}) for city in ("Oslo", "Bergen"))
    return [reasoning, f"{calls}<eot>", reasoning, "It is warm.<eot>"]


def test_calls_are_items_and_their_outputs_go_back(stage: Any, serve: Any, script: list[str]) -> None:
    served = serve(stage.engine(*script))
    client = official_client(served)
    first = client.responses.create(**ASK, tool_choice="required")
    step, *calls = first.output
    assert step.type == "reasoning"
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Oslo"}, {"city": "Bergen"}]
    assert first.status == "completed"
    assert first.tools[0].name == "get_weather"
    assert first.tool_choice == "required"
    outputs: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{number} degrees"}
        for number, call in enumerate(calls, 20)
    ]
    answer = client.responses.create(
        model="tiny", input=outputs, previous_response_id=first.id, tools=[WEATHER]
    )
    assert answer.output_text == "It is warm."
    prompt = stage.tokenizer.decode(served.engine.requests[-1].prompt_ids)
    assert [text in prompt for text in ("get_weather", "20 degrees", "21 degrees", "left 1")] == [True] * 4
    # The same, with the items sent back.
    again = serve(stage.engine(*script[2:]))
    question: Any = {"role": "user", "content": ASK["input"]}
    with official_client(again) as other:
        other.responses.create(model="tiny", input=[question, *first.output, *outputs], tools=[WEATHER])
    assert stage.tokenizer.decode(again.engine.requests[-1].prompt_ids) == prompt


def test_the_stream_says_each_call(stage: Any, serve: Any, script: list[str]) -> None:
    client = official_client(serve(stage.engine(*script, per_update=2)))
    with client.responses.stream(**ASK) as stream:
        final = stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "function_call", "function_call"]
    events = list(client.responses.retrieve(final.id, stream=True))
    for event in events:
        EVENT.validate_python(event.to_dict())
    for index, call in enumerate(final.output[1:], 1):
        mine = [event for event in events if getattr(event, "output_index", None) == index]
        assert mine[0].type == "response.output_item.added"
        assert [event.type for event in mine[-2:]] == [
            "response.function_call_arguments.done",
            "response.output_item.done",
        ]
        joined = "".join(str(event.delta) for event in mine[1:-2])
        assert joined == mine[-2].arguments == call.arguments
    assert events[-1].response == client.responses.retrieve(final.id)


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a built-in tool": ({"tools": [{"type": "web_search"}]}, "tools.0.type", "'function'"),
    "a choice of none": ({"tools": None, "tool_choice": "required"}, "tool_choice", "send tools"),
    "an unknown choice": (
        {"tool_choice": {"type": "function", "name": "other"}},
        "tool_choice.name",
        "get_weather",
    ),
    "two of a name": ({"tools": [WEATHER, WEATHER]}, "tools.1.name", "get_weather"),
    "no object": (
        {"tools": [WEATHER | {"parameters": {"type": "array"}}]},
        "tools.0.parameters",
        "object",
    ),
    "arguments that are no text": (
        {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}]},
        "input.0.arguments",
        "string",
    ),
    "an output of nothing": (
        {"input": [{"type": "function_call_output", "call_id": "call_x", "output": "1"}]},
        "input",
        "call_x",
    ),
    "a call without an output": (
        {"input": [{"type": "function_call", "call_id": "call_y", "name": "f", "arguments": "{}"}]},
        "input",
        "call_y",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tools_are_refused_by_name(stage: Any, serve: Any, case: str) -> None:
    body, param, word = BAD[case]
    served = serve(stage.engine(stage.one_step))
    with official_client(served) as client, pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**(ASK | body))
    assert refused.value.param == param
    assert word in refused.value.message
