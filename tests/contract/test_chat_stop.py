"""Stop strings by the official client: whole, streamed, and in the step stream."""

from typing import Any

import httpx
import pytest
from tests.official_client import official_client

from steiner.client.event_stream import EventStreamDecoder
from steiner.reasoning.events import EVENT_ADAPTER

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


@pytest.fixture(scope="module")
def text(stage: Any) -> str:
    return f"<start>{stage.step()}<end>make 22 from 15 left 3<eot>"


@pytest.mark.parametrize("per_update", [1, 3, 1000])
@pytest.mark.parametrize("stop", ["2 from", ["never", " left"], ["2 from", "22"]])
def test_stream_and_whole_end_alike(
    stage: Any, serve: Any, text: str, stop: str | list[str], per_update: int
) -> None:
    served = serve(stage.engine(text, per_update=per_update))
    client = official_client(served)
    whole = client.chat.completions.create(**ASK, stop=stop)
    chunks = list(
        client.chat.completions.create(**ASK, stop=stop, stream=True, stream_options={"include_usage": True})
    )
    choice = whole.choices[0]
    answer = "make 22 from 15 left 3"
    assert choice.message.content == answer[: answer.index(choice.stop_reason)]
    assert choice.stop_reason in ([stop] if isinstance(stop, str) else stop)
    assert choice.finish_reason == "stop"
    assert choice.message.reasoning_steps[0]["verdict"] == "verified"
    *body, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in body) == choice.message.content
    assert body[-1].choices[0].finish_reason == "stop"
    assert body[-1].choices[0].stop_reason == choice.stop_reason
    assert last.usage == whole.usage


def test_vllms_parameters_are_honoured(stage: Any, serve: Any, text: str) -> None:
    client = official_client(serve(stage.engine(text)))
    included = client.chat.completions.create(
        **ASK, stop=" left", extra_body={"include_stop_str_in_output": True}
    )
    assert included.choices[0].message.content == "make 22 from 15 left"
    [token_id] = stage.ids_of("left")
    by_token = client.chat.completions.create(**ASK, extra_body={"stop_token_ids": [token_id]})
    assert by_token.choices[0].stop_reason == token_id
    assert by_token.choices[0].message.content == "make 22 from 15"


def test_the_engine_is_freed(stage: Any, serve: Any, text: str, eventually: Any) -> None:
    served = serve(stage.engine(text, holds=True))
    completion = official_client(served).chat.completions.create(**ASK, stop=" left")
    assert completion.choices[0].message.content == "make 22 from 15"
    eventually(lambda: served.engine.aborted == [completion.id])


def test_the_step_stream_ends_there_too(stage: Any, serve: Any, text: str) -> None:
    served = serve(stage.engine(text))
    answer = httpx.post(f"{served.url}/v1/reasoning", json={"messages": ASK["messages"], "stop": [" left"]})
    events = [EVENT_ADAPTER.validate_json(one.data) for one in EventStreamDecoder().feed(answer.content)]
    [done] = [event for event in events if event.type == "answer.done"]
    assert (done.text, done.stop_reason) == ("make 22 from 15", " left")
    said = "".join(event.text for event in events if event.type == "answer.delta")
    trace = httpx.get(f"{served.url}/v1/reasoning/{events[0].id}").json()
    assert said == trace["answer"] == done.text
