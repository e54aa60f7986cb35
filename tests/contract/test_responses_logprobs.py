"""Log probabilities of a response's answer by the official client: in events, in the whole, and when read later."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.official_client import official_client

from steiner.reasoning.parser.tool_calls import call_text
from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
ASK: dict[str, Any] = {"model": "tiny", "input": "make 22 from 15 4 11"}
TOLD: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
FUNCTION = {"type": "function", "name": "f"}


@pytest.fixture(params=[1, 3, 1000])
def engine(stage: Any, request: pytest.FixtureRequest) -> ScriptedEngine:
    return engine_of(stage, "make 22 → 東", request.param)


def engine_of(stage: Any, answer: str, per_update: int = 1) -> ScriptedEngine:
    return ScriptedEngine([script_of(stage, f"<start>{stage.step()}<end>{answer}<eot>", per_update)])


def script_of(stage: Any, text: str, per_update: int = 1) -> Script:
    ids = stage.ids_of(text)
    [other] = stage.ids_of("left")
    told = [TokenLogprobs(-0.5, ((one, -0.5), (other, -2.0))) for one in ids]
    return Script(ids, per_update, logprobs=told)


def test_the_whole_tells_those_of_each_token_of_the_answer(engine: ScriptedEngine, serve: Any) -> None:
    client: Any = official_client(serve(engine))
    response = client.responses.create(**ASK, **TOLD)
    assert response.top_logprobs == 2
    [part] = response.output[-1].content
    assert part.text == "make 22 → 東"
    assert b"".join(bytes(token.bytes) for token in part.logprobs).decode() == part.text
    for token in part.logprobs:
        assert token.logprob == -0.5
        assert [one.logprob for one in token.top_logprobs] == [-0.5, -2.0]
        assert token.top_logprobs[0].bytes == token.bytes
    read = client.responses.retrieve(response.id, include=TOLD["include"])
    assert read == response
    chat = client.chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": ASK["input"]}], logprobs=True, top_logprobs=2
    )
    told = chat.choices[0].logprobs.content
    assert [token.model_dump() for token in told] == [token.model_dump() for token in part.logprobs]


def test_deltas_tell_them_as_they_come_and_done_events_all(engine: ScriptedEngine, serve: Any) -> None:
    served = serve(engine)
    text = httpx.post(f"{served.url}/v1/responses", json=ASK | TOLD | {"stream": True}).text
    events = [json.loads(block.split("data: ")[1]) for block in text.strip().split("\n\n")]
    for event in events:
        EVENT.validate_python(event)
    by_type = {event["type"]: event for event in events}
    final = by_type["response.completed"]["response"]
    Response.model_validate(final)
    told = final["output"][-1]["content"][0]["logprobs"]
    assert len(told) > 3
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [token for event in deltas for token in event["logprobs"]] == told
    for event in deltas:
        assert b"".join(bytes(token["bytes"]) for token in event["logprobs"]).decode() == event["delta"]
    assert by_type["response.output_text.done"]["logprobs"] == told
    done = [event["part"] for event in events if event["type"] == "response.content_part.done"]
    assert done[-1]["logprobs"] == told
    assert by_type["response.output_item.done"]["item"]["content"][0]["logprobs"] == told
    again = httpx.get(f"{served.url}/v1/responses/{final['id']}", params={"stream": "true"}).text
    assert again == text


def test_the_clients_stream_keeps_them(stage: Any, serve: Any) -> None:
    client: Any = official_client(serve(engine_of(stage, "make 22")))
    with client.responses.stream(**ASK, **TOLD) as stream:
        streamed = [
            token
            for event in stream
            if event.type == "response.output_text.delta"
            for token in event.logprobs
        ]
        final = stream.get_final_response()
    told = final.output[-1].content[0].logprobs
    assert [token.token for token in streamed] == [token.token for token in told] != []
    assert [len(token.top_logprobs) for token in streamed] == [2] * len(told)


def test_without_asking_there_are_none(stage: Any, serve: Any) -> None:
    served = serve(engine_of(stage, "make 22"))
    client: Any = official_client(served)
    response = client.responses.create(**ASK)
    assert (response.top_logprobs, response.output[-1].content[0].logprobs) == (0, [])
    assert served.engine.requests[-1].num_logprobs is None
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.retrieve(response.id, include=TOLD["include"])
    assert refused.value.param == "include"
    alone = client.responses.create(**ASK, include=TOLD["include"])
    assert {len(token.top_logprobs) for token in alone.output[-1].content[0].logprobs} == {0}


def test_a_conversation_does_not_carry_them(stage: Any, serve: Any) -> None:
    client: Any = official_client(serve(engine_of(stage, "make 22")))
    first = client.responses.create(**ASK, **TOLD)
    second = client.responses.create(model="tiny", input="make 4", previous_response_id=first.id)
    items = client.responses.input_items.list(second.id, order="asc").data
    assert [item.type for item in items] == ["message", "reasoning", "message", "message"]
    assert items[2].content[0].text == "make 22"
    assert items[2].content[0].logprobs == []
    sent_back: Any = [{"role": "user", "content": ASK["input"]}, *first.output]
    third = client.responses.create(
        model="tiny", input=[*sent_back, {"role": "user", "content": "make 4"}], store=False
    )
    assert third.status == "completed"


def test_calls_have_none(stage: Any, serve: Any) -> None:
    reasoning = script_of(stage, f"<start>{stage.step()}<end>")
    answer = script_of(stage, call_text("f", {}) + "<eot>")
    client: Any = official_client(serve(ScriptedEngine([reasoning, answer])))
    response = client.responses.create(**ASK, **TOLD, tools=[FUNCTION])
    assert [item.type for item in response.output] == ["reasoning", "function_call"]
