"""The step stream over HTTP: reading, leaving, resuming, cancelling; and what a disconnect does to chat."""

import socket
import threading
from typing import Any

import httpx
import pytest

from steiner.client.event_stream import EventStreamDecoder, Message
from steiner.reasoning.events import EVENT_ADAPTER

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


def messages_of(content: bytes) -> list[Message]:
    return EventStreamDecoder().feed(content)


def read_some(served: Any, num_messages: int) -> list[Message]:
    """Begin a stream, read this many messages, and leave."""
    decoder, seen = EventStreamDecoder(), []
    with httpx.stream("POST", f"{served.url}/v1/reasoning", json=BODY) as answer:
        for chunk in answer.iter_bytes():
            seen += decoder.feed(chunk)
            if len(seen) >= num_messages:
                return seen
    return seen


def id_of(messages: list[Message]) -> str:
    started = EVENT_ADAPTER.validate_json(messages[0].data)
    assert started.type == "reasoning.started"
    return started.id


@pytest.mark.parametrize("per_update", [1, 6, 1000])
def test_events_are_named_numbered_and_typed(stage: Any, serve: Any, per_update: int) -> None:
    served = serve(stage.engine(stage.with_backtrack, per_update=per_update))
    answer = httpx.post(f"{served.url}/v1/reasoning", json=BODY)
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = messages_of(answer.content)
    events = [EVENT_ADAPTER.validate_json(message.data) for message in messages]
    assert [message.event for message in messages] == [event.type for event in events]
    assert [message.last_event_id for message in messages] == [str(n + 1) for n in range(len(events))]
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert events[0].id.startswith("rsn_")
    assert [event.type for event in events][-2:] == ["usage", "done"]
    trace = httpx.get(f"{served.url}/v1/reasoning/{id_of(messages)}").json()
    assert trace["answer"] == "make 22"
    assert len(trace["steps"]) == 3


@pytest.mark.parametrize("after", [None, "0", "1", "7", "30"])
def test_a_stream_resumes_without_loss(stage: Any, serve: Any, after: str | None) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    whole = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    headers = {} if after is None else {"Last-Event-ID": after}
    resumed = httpx.get(f"{served.url}/v1/reasoning/{id_of(whole)}/events", headers=headers)
    assert messages_of(resumed.content) == whole[int(after or 0) :]


def test_a_generation_goes_on_when_its_reader_leaves(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    seen = read_some(served, 3)
    eventually(lambda: served.service.generations.num_running == 0)
    last = seen[-1].last_event_id
    rest = httpx.get(f"{served.url}/v1/reasoning/{id_of(seen)}/events", headers={"Last-Event-ID": last})
    numbers = [int(message.last_event_id) for message in [*seen, *messages_of(rest.content)]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert messages_of(rest.content)[-1].event == "done"
    assert served.engine.aborted == []


def test_readers_of_one_generation_see_the_same(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True))
    seen = read_some(served, 10)
    url = f"{served.url}/v1/reasoning/{id_of(seen)}"
    streams: list[list[Message]] = []

    def read() -> None:
        streams.append(messages_of(httpx.get(f"{url}/events").content))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    assert httpx.delete(url).status_code == 204
    for reader in readers:
        reader.join(timeout=5)
    assert len(streams) == 3
    assert streams[0] == streams[1] == streams[2]
    assert [message.event for message in streams[0]][-2:] == ["usage", "cancelled"]


def test_at_the_end_of_a_finished_one_there_is_no_content(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    whole = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    answer = httpx.get(
        f"{served.url}/v1/reasoning/{id_of(whole)}/events", headers={"Last-Event-ID": str(len(whole))}
    )
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, "100000", "²"])
def test_a_number_that_is_none_is_refused(stage: Any, serve: Any, last: str) -> None:
    served = serve(stage.engine(stage.one_step))
    whole = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    url = f"{served.url}/v1/reasoning/{id_of(whole)}/events"
    answer = httpx.get(url, headers={b"Last-Event-ID": last.encode()})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Last-Event-ID"


def test_deleting_cancels_keeps_the_trace_and_then_removes(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True))
    url = f"{served.url}/v1/reasoning/{id_of(read_some(served, 15))}"
    assert httpx.delete(url).status_code == 204
    assert len(served.engine.aborted) == 1
    assert len(httpx.get(url).json()["steps"]) == 1
    assert httpx.delete(url).status_code == 204
    for gone in (httpx.get(url), httpx.delete(url), httpx.get(f"{url}/events")):
        assert gone.status_code == 404
        assert gone.json()["error"]["code"] == "generation_not_found"


def test_a_generation_that_runs_too_long_ends_in_an_error(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step, holds=True), generation_timeout_s=0.2)
    messages = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    assert [message.event for message in messages][-2:] == ["usage", "error"]
    failed = EVENT_ADAPTER.validate_json(messages[-1].data)
    assert failed.type == "error"
    assert failed.code == "timeout"
    assert "0.2 s" in failed.message
    assert len(served.engine.aborted) == 1


def test_an_idle_stream_is_kept_alive(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True), keep_alive_s=0.05)
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=BODY | {"stream": True}) as answer:
        for line in answer.iter_lines():
            if line == ": keep-alive":
                return
    pytest.fail("the stream ended without a comment")


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_a_chat_aborts_it_in_the_engine(
    stage: Any, serve: Any, eventually: Any, stream: bool
) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True))
    host, port = served.url.removeprefix("http://").split(":")
    request = httpx.Request("POST", served.url, json=BODY | {"stream": stream})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}Content-Length: {len(request.content)}\r\n\r\n".encode() + request.content)
        eventually(lambda: bool(served.engine.requests))
    eventually(lambda: served.engine.aborted == [served.engine.requests[0].request_id], timeout_s=1.0)
    eventually(lambda: served.service.generations.num_running == 0, timeout_s=1.0)


def test_an_engine_that_dies_ends_the_stream_and_liveness(stage: Any, serve: Any) -> None:
    from steiner.server.engine.base import EngineDead
    from steiner.server.engine.scripted_engine import Script, ScriptedEngine

    script = Script(stage.ids_of(f"<start>{stage.step()}"), raises=EngineDead("gone"))
    served = serve(ScriptedEngine([script]))
    assert httpx.get(f"{served.url}/health").status_code == 200
    messages = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    assert messages[-1].event == "error"
    assert httpx.get(f"{served.url}/health").status_code == 503
    assert httpx.get(f"{served.url}/ready").status_code == 503
    refused = httpx.post(f"{served.url}/v1/chat/completions", json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_dead")


def test_readiness_follows_the_lifecycle(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    assert httpx.get(f"{served.url}/ready").status_code == 200
    served.service.lifecycle.drain()
    assert httpx.get(f"{served.url}/ready").status_code == 503
    assert httpx.get(f"{served.url}/health").status_code == 200
    refused = httpx.post(f"{served.url}/v1/reasoning", json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")


def test_each_thing_is_counted_once(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack, per_update=5))
    messages = messages_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)
    usage = EVENT_ADAPTER.validate_json(messages[-2].data)
    assert usage.type == "usage"
    lines = dict(
        line.rsplit(" ", 1) for line in httpx.get(f"{served.url}/metrics").text.splitlines() if line[0] != "#"
    )
    expected = {
        'steiner_reasoning_steps_total{verdict="verified"}': 2,
        'steiner_reasoning_steps_total{verdict="refuted"}': 1,
        "steiner_backtracks_total": 1,
        'steiner_reasoning_tokens_total{origin="sampled"}': usage.reasoning_tokens,
        'steiner_reasoning_tokens_total{origin="forced"}': 0,
        "steiner_answer_tokens_total": usage.answer_tokens,
        'steiner_generations_total{endpoint="reasoning",outcome="done"}': 1,
        "steiner_generations_active": 0,
        "steiner_time_to_first_step_seconds_count": 1,
        "steiner_time_to_first_answer_token_seconds_count": 1,
        "steiner_step_duration_seconds_count": 3,
        "steiner_generation_duration_seconds_count": 1,
    }
    assert {name: float(lines[name]) for name in expected} == expected


def test_the_documentation_is_served(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    assert httpx.get(f"{served.url}/docs").status_code == 200
    paths = httpx.get(f"{served.url}/openapi.json", timeout=60).json()["paths"]
    assert {"/v1/chat/completions", "/v1/reasoning", "/v1/reasoning/{generation_id}"} <= set(paths)
