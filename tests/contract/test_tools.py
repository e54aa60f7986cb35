"""Tools through the official client, unchanged: calls, streams of calls, and the conversation that goes on."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.official_client import official_client

from steiner.reasoning.events import EVENT_ADAPTER
from steiner.reasoning.parser.tool_calls import call_text
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import trace_of

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city <|im_end|>",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city"],
        },
    },
}
NOW: Any = {"type": "function", "function": {"name": "now"}}
ASK: list[Any] = [{"role": "user", "content": "Is it warm in Oslo?"}]
CALL = call_text("get_weather", {"city": 'Os"lo', "unit": "c"})
SECOND = call_text("now", {})


def engine_of(stage: Any, answer: str, per_update: int = 3, end: str = "<eot>") -> Any:
    """Reasons one step; then, behind the cut, says the answer."""
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    return stage.engine(reasoning, f"{answer}{end}", per_update=per_update)


def test_calls_come_after_the_reasoning(stage: Any, serve: Any) -> None:
    served = serve(engine_of(stage, f"Let me see.\n{CALL}\n{SECOND}"))
    completion = official_client(served).chat.completions.create(
        model="tiny", messages=ASK, tools=[WEATHER, NOW], tool_choice="auto"
    )
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    first, second = choice.message.tool_calls or []
    assert first.type == second.type == "function"
    assert (first.function.name, second.function.name) == ("get_weather", "now")
    assert json.loads(first.function.arguments) == {"city": 'Os"lo', "unit": "c"}
    assert first.id.startswith("call_")
    assert first.id != second.id
    assert len(choice.message.reasoning_steps) == 1  # type: ignore[attr-defined]
    reasoning, answer = served.engine.requests
    assert "<tool_call>" not in reasoning.grammar
    assert "<tool_call>" in answer.grammar
    assert "get_weather" in answer.grammar
    assert answer.min_tokens == 1


@pytest.mark.parametrize("per_update", [1, 5, 1000])
def test_a_stream_has_the_same_calls_in_pieces(stage: Any, serve: Any, per_update: int) -> None:
    engine = engine_of(stage, f"so {CALL}\n{SECOND}", per_update)
    chunks = list(
        official_client(serve(engine)).chat.completions.create(
            model="tiny", messages=ASK, tools=[WEATHER, NOW], stream=True
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "so"
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    for index, (name, arguments) in enumerate([("get_weather", {"city": 'Os"lo', "unit": "c"}), ("now", {})]):
        first, *rest = [call for call in calls if call.index == index]
        assert first.id
        assert first.id.startswith("call_")
        assert first.type == "function"
        assert first.function
        assert (first.function.name, first.function.arguments) == (name, "")
        assert all(call.id is None for call in rest)
        pieces = [call.function.arguments or "" for call in rest if call.function]
        assert json.loads("".join(pieces)) == arguments
        if per_update == 1:
            assert len(pieces) >= len(json.dumps(arguments)) // 2
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "tool_calls"


def test_the_clients_own_accumulator_understands_the_stream(stage: Any, serve: Any) -> None:
    engine = engine_of(stage, f"{CALL}\n{SECOND}", per_update=1)
    with official_client(serve(engine)).chat.completions.stream(
        model="tiny", messages=ASK, tools=[WEATHER, NOW], tool_choice="required"
    ) as stream:
        completion = stream.get_final_completion()
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    names = [call.function.name for call in choice.message.tool_calls or []]
    assert names == ["get_weather", "now"]


def test_a_conversation_goes_on_with_the_results(stage: Any, serve: Any) -> None:
    engine = engine_of(stage, f"{CALL}\n{SECOND}")
    client = official_client(serve(engine))
    message = (
        client.chat.completions.create(model="tiny", messages=ASK, tools=[WEATHER, NOW]).choices[0].message
    )
    assert message.content is None
    assert message.tool_calls
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {index}<|im_end|>"}
        for index, call in enumerate(message.tool_calls)
    ]
    messages = [*ASK, message.model_dump(exclude_none=True), *results]
    client.chat.completions.create(model="tiny", messages=messages, tools=[WEATHER, NOW])
    prompt_ids = engine.requests[-1].prompt_ids
    prompt = stage.tokenizer.decode(prompt_ids)
    assert '"name": "get_weather", "arguments": {"city": "Os\\"lo", "unit": "c"}' in prompt
    assert "<tool_response>\nresult 0<|im_end|>\n</tool_response>\n<tool_response>\nresult 1" in prompt
    # system, user, assistant, user with both results, and the turn to come.
    assert sum(token_id == stage.bound.end_of_turn_id for token_id in prompt_ids) == 4


@pytest.mark.parametrize("choice", ["none", {"type": "function", "function": {"name": "now"}}])
def test_a_choice_reaches_the_grammar(stage: Any, serve: Any, choice: Any) -> None:
    engine = engine_of(stage, "hello" if choice == "none" else SECOND)
    completion = official_client(serve(engine)).chat.completions.create(
        model="tiny", messages=ASK, tools=[WEATHER, NOW], tool_choice=choice
    )
    grammar = engine.requests[-1].grammar
    assert "get_weather" not in grammar
    assert ("now" in grammar) == (choice != "none")
    # The tools are in the prompt all the same: what is shared of it is shared.
    assert "get_weather" in stage.tokenizer.decode(engine.requests[0].prompt_ids)
    assert completion.choices[0].finish_reason == ("stop" if choice == "none" else "tool_calls")


def test_half_a_call_is_none(stage: Any, serve: Any) -> None:
    engine = engine_of(stage, f"{SECOND}\n{CALL[:60]}")
    num_reasoning = len(engine.scripts[0].token_ids)
    limit = num_reasoning + len(engine.scripts[1].token_ids) - 4
    completion = official_client(serve(engine)).chat.completions.create(
        model="tiny", messages=ASK, tools=[WEATHER, NOW], max_completion_tokens=limit
    )
    [choice] = completion.choices
    assert choice.finish_reason == "length"
    assert [call.function.name for call in choice.message.tool_calls or []] == ["now"]
    assert choice.message.content is None


def test_the_step_stream_has_calls_as_events(stage: Any, serve: Any) -> None:
    served = serve(engine_of(stage, f"so\n{CALL}"))
    body = {"messages": ASK, "tools": [WEATHER], "tool_choice": "required"}
    answer = httpx.post(f"{served.url}/v1/reasoning", json=body)
    events = [
        EVENT_ADAPTER.validate_json(line.removeprefix("data: "))
        for line in answer.text.splitlines()
        if line.startswith("data: ")
    ]
    by_type = {event.type: event for event in events}
    assert by_type["tool_call.started"].name == "get_weather"
    [call] = by_type["answer.done"].tool_calls
    assert by_type["tool_call.done"].arguments == call.arguments
    assert "".join(e.arguments for e in events if e.type == "tool_call.delta") == call.arguments
    assert by_type["done"].finish_reason == "tool_calls"
    trace = Trace.model_validate(httpx.get(f"{served.url}/v1/reasoning/{events[0].id}").json())
    assert trace.tool_calls == (call,)
    assert trace_of(events).tool_calls == (call,)
    assert trace.answer == "so"
