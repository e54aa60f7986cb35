"""Responses in the background: read, resumed and cancelled by their id; in the foreground: ended by leaving."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

from steiner.server.engine.base import EngineDead, EngineError
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

ASK: dict[str, Any] = {"model": "tiny", "input": "make 22 from 15 4 11"}


def until(served: Any, response_id: str, eventually: Any, *statuses: str) -> dict[str, Any]:
    url = f"{served.url}/v1/responses/{response_id}"
    eventually(lambda: httpx.get(url).json()["status"] in statuses)
    response: dict[str, Any] = httpx.get(url).json()
    return response


def test_it_is_made_without_readers(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    response = official_client(served).responses.create(**ASK, background=True)
    assert response.status in ("queued", "in_progress")
    assert response.background
    assert response.output == []
    finished = until(served, response.id, eventually, "completed")
    assert finished["output"][-1]["content"][0]["text"] == "make 22"


def test_a_stream_resumes_byte_for_byte(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack, per_update=3))
    body = ASK | {"background": True, "stream": True}
    blocks = httpx.post(f"{served.url}/v1/responses", json=body).text.split("\n\n")[:-1]
    types = [block.split("\n")[0].removeprefix("event: ") for block in blocks[:3]]
    assert types == ["response.created", "response.queued", "response.in_progress"]
    response_id = blocks[0].split('"id":"')[1].split('"')[0]
    url = f"{served.url}/v1/responses/{response_id}"
    for after in (0, 1, 2, 7, 40, len(blocks) - 2, len(blocks) - 1):
        resumed = httpx.get(url, params={"stream": "true", "starting_after": after})
        assert resumed.text.split("\n\n")[:-1] == blocks[after + 1 :]
    assert httpx.get(url, params={"stream": "true"}).text.split("\n\n")[:-1] == blocks
    beyond = httpx.get(url, params={"stream": "true", "starting_after": len(blocks)})
    assert beyond.status_code == 400
    assert beyond.json()["error"]["param"] == "starting_after"


def test_leaving_a_stream_disturbs_nobody(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True))
    client = official_client(served)
    with client.responses.create(**ASK, background=True, stream=True) as stream:
        first = next(iter(stream))
        assert first.type == "response.created"
        response_id = first.response.id
    with client.responses.retrieve(response_id, stream=True, starting_after=first.sequence_number) as again:
        assert [next(iter(again)).sequence_number for _ in range(20)] == list(range(1, 21))
    assert served.engine.aborted == []
    eventually(lambda: client.responses.retrieve(response_id).output[0].status == "completed")
    assert client.responses.retrieve(response_id).status == "in_progress"
    client.responses.cancel(response_id)


def test_a_cancelled_one_keeps_what_it_said(stage: Any, serve: Any, eventually: Any) -> None:
    half = f"<start>{stage.step()}<proceed><step_start><step_understanding_start>left 2"
    served = serve(stage.engine(half, holds=True))
    client = official_client(served)
    response = client.responses.create(**ASK, background=True)
    eventually(lambda: len(client.responses.retrieve(response.id).output) == 2)
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert [item.status for item in cancelled.output] == ["completed", "incomplete"]
    assert cancelled.output[1].content[0].text == "left 2"  # type: ignore[index]
    assert cancelled.usage.output_tokens == len(stage.ids_of(half))
    assert len(served.engine.aborted) == 1
    # Once more is no mistake.
    assert client.responses.cancel(response.id) == cancelled
    *_, last = client.responses.retrieve(response.id, stream=True)
    assert (last.type, last.response.status) == ("response.incomplete", "cancelled")
    assert last.response == client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**ASK, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_completed"
    assert "cancelled" in refused.value.message


def test_a_running_one_can_not_be_continued_and_can_be_deleted(stage: Any, serve: Any) -> None:
    served = serve(stage.engine("<start>", holds=True))
    client = official_client(served)
    response = client.responses.create(**ASK, background=True)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**ASK, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_completed"
    client.responses.delete(response.id)
    assert len(served.engine.aborted) == 1
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_one_in_the_foreground_is_not_cancelled_by_its_id(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine(stage.one_step)))
    response = client.responses.create(**ASK)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.cancel(response.id)
    assert refused.value.param == "response_id"
    assert "background" in refused.value.message


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_one_in_the_foreground_ends_it(stage: Any, serve: Any, eventually: Any, stream: bool) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True))
    if stream:
        with official_client(served).responses.create(**ASK, stream=True) as events:
            next(iter(events))
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.url}/v1/responses", json=ASK, timeout=0.3)
    eventually(lambda: len(served.engine.aborted) == 1, timeout_s=1.0)
    eventually(lambda: served.service.generations.num_running == 0)


FAILURES = [
    (EngineError("cuda"), "server_error", "engine_error"),
    (EngineDead("gone"), "server_error", "engine_dead"),
]


@pytest.mark.parametrize(("error", "code", "own_code"), FAILURES)
def test_a_failure_is_said_in_the_response(
    stage: Any, serve: Any, eventually: Any, error: EngineError, code: str, own_code: str
) -> None:
    script = Script(stage.ids_of(f"<start>{stage.step()}<end>2"), raises=error)
    served = serve(ScriptedEngine([script]))
    client = official_client(served)
    *_, last = client.responses.create(**ASK, background=True, stream=True)
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert (last.response.error.code, last.response.error.type) == (code, own_code)
    assert "cuda" not in last.response.error.message
    assert [item.status for item in last.response.output] == ["completed", "incomplete"]
    assert client.responses.retrieve(last.response.id) == last.response


def test_a_failure_in_the_foreground_is_an_error_of_http(stage: Any, serve: Any) -> None:
    served = serve(ScriptedEngine([Script(stage.ids_of("<start>"), raises=EngineError("cuda"))]))
    with pytest.raises(openai.InternalServerError) as failed:
        official_client(served).responses.create(**ASK)
    assert failed.value.code == "engine_error"


def test_metrics_name_the_endpoint(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    official_client(served).responses.create(**ASK)
    page = httpx.get(f"{served.url}/metrics").text
    assert 'steiner_generations_total{endpoint="responses",outcome="done"} 1.0' in page
