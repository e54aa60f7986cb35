"""Resuming: wherever a connection is cut, what was read and what is resumed are the undisturbed stream."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseErrorEvent

from steiner.server.engine.scripted_engine import Script, ScriptedEngine

from .step_stream import BODY, begin, events_of, id_of, last_id, resume, whole_events

pytestmark = pytest.mark.slow


@dataclass(frozen=True, repr=False)
class Kept:
    """A server, another one over the same file, and a stream that the first has sent."""

    served: Any
    other: Any
    whole: bytes


@pytest.fixture(scope="module")
def kept(stage: Any, serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    path = tmp_path_factory.mktemp("store") / "generations.sqlite3"
    served = serve(stage.engine(stage.with_backtrack, per_update=3), store="sqlite", store_path=path)
    other = serve(stage.engine(stage.one_step), store="sqlite", store_path=path)
    return Kept(served, other, httpx.post(f"{served.url}/v1/reasoning", json=BODY).content)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1))
def test_a_finished_stream_resumes_from_any_byte_at_any_server(kept: Kept, share: float) -> None:
    served, other, whole = kept.served, kept.other, kept.whole
    cut = whole[: round(share * len(whole))]
    for server in (served, other):
        rest = resume(server.url, id_of(whole), last_id(cut))
        assert rest.status_code == (204 if whole_events(cut) == whole else 200)
        assert whole_events(cut) + rest.content == whole


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(num_bytes=st.integers(0, 9000))
def test_a_connection_that_is_cut_while_it_streams(kept: Kept, num_bytes: int) -> None:
    served = kept.served
    received = b""
    with httpx.stream("POST", f"{served.url}/v1/reasoning", json=BODY) as answer:
        for piece in answer.iter_raw():
            received += piece
            # At least the first event: without the id there is nothing to resume.
            if len(received) >= num_bytes and b"\n\n" in received:
                break
    seen = whole_events(received[: max(num_bytes, received.index(b"\n\n") + 2)])
    name = id_of(seen)
    rest = resume(served.url, name, last_id(seen))
    assert seen + rest.content == resume(served.url, name).content
    types = [event["type"] for event in events_of(seen + rest.content)]
    assert types[-2:] == ["usage", "done"]


def test_the_trace_is_the_same_after_a_restart(stage: Any, serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "generations.sqlite3"
    first = serve(stage.engine(stage.with_backtrack), store="sqlite", store_path=path)
    whole = httpx.post(f"{first.url}/v1/reasoning", json=BODY).content
    before = httpx.get(f"{first.url}/v1/reasoning/{id_of(whole)}").content
    second = serve(stage.engine(stage.one_step), store="sqlite", store_path=path)
    assert httpx.get(f"{second.url}/v1/reasoning/{id_of(whole)}").content == before
    assert httpx.delete(f"{second.url}/v1/reasoning/{id_of(whole)}").status_code == 204
    for served in (first, second):
        assert httpx.get(f"{served.url}/v1/reasoning/{id_of(whole)}").status_code == 404


@pytest.mark.parametrize("place", ["query", "both"])
def test_the_number_may_stand_in_the_query(stage: Any, serve: Any, place: str) -> None:
    served = serve(stage.engine(stage.one_step))
    whole = httpx.post(f"{served.url}/v1/reasoning", json=BODY).content
    url = f"{served.url}/v1/reasoning/{id_of(whole)}/events"
    headers = {"Last-Event-ID": "7"} if place == "both" else {}
    rest = httpx.get(url, params={"last_event_id": "3"}, headers=headers).content
    assert events_of(rest) == events_of(whole)[7 if place == "both" else 3 :]
    refused = httpx.get(url, params={"last_event_id": "x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "last_event_id")


def test_a_running_stream_that_has_left_memory_is_read_from_the_store(
    stage: Any, serve: Any, eventually: Any
) -> None:
    served = serve(stage.engine(stage.with_backtrack.removesuffix("<eot>"), holds=True))
    seen = begin(served.url, 60)
    name = id_of(seen)
    [generation] = served.service.generations.running
    eventually(lambda: generation.buffer.first == generation.buffer.last + 1)
    assert generation.buffer.num_bytes == 0
    with httpx.stream("GET", f"{served.url}/v1/reasoning/{name}/events") as answer:
        content = b""
        for piece in answer.iter_bytes():
            content += piece
            if len(content) >= len(seen):
                break
    assert content.startswith(seen)
    assert httpx.delete(f"{served.url}/v1/reasoning/{name}").status_code == 204


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_retained": 2}, "up to a number of 2 (max_retained)"),
        ({"max_retained_bytes": 1}, "up to 1 bytes (max_retained_bytes)"),
        ({"retention_s": 0.01}, "for 0.01 s (retention_s)"),
    ],
)
def test_what_was_let_go_is_gone(
    stage: Any, serve: Any, eventually: Any, limits: dict[str, float], named: str
) -> None:
    served = serve(stage.engine(stage.one_step), **limits)
    names = [id_of(httpx.post(f"{served.url}/v1/reasoning", json=BODY).content) for _ in range(3)]
    url = f"{served.url}/v1/reasoning/{names[0]}"
    eventually(lambda: httpx.get(url).status_code == 410)
    for gone in (httpx.get(url), httpx.get(f"{url}/events"), httpx.delete(url)):
        assert gone.status_code == 410
        error = gone.json()["error"]
        assert (error["code"], error["param"]) == ("generation_gone", "id")
        assert named in error["message"]
    if "max_retained" in limits:
        assert httpx.get(f"{served.url}/v1/reasoning/{names[2]}").status_code == 200


def test_a_chat_completion_is_not_found(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    name = httpx.post(f"{served.url}/v1/chat/completions", json=BODY).json()["id"]
    assert httpx.get(f"{served.url}/v1/reasoning/{name}").status_code == 404


def long_answer(stage: Any, *, holds: bool = False, num_words: int = 1) -> ScriptedEngine:
    """More than the buffers of a connection hold; of many words, more than a small buffer of ours, compressed."""
    vocabulary = stage.tokenizer.get_vocab()
    longest = sorted((word for word in vocabulary if "<" not in word), key=len)[-num_words:]
    words = random.Random(4).choices([vocabulary[word] for word in longest], k=600_000)
    ids = stage.ids_of(f"<start>{stage.step()}<end>") + words
    return ScriptedEngine([Script(ids, per_update=400, holds=holds)], max_model_len=700_000)


@contextlib.contextmanager
def reader_that_takes_nothing(
    url: str, path: str, body: dict[str, Any]
) -> Iterator[http.client.HTTPConnection]:
    """A connection on which a request was sent, and whose answer nobody takes."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.sock = socket.socket()
    # Left alone, Linux lets it grow until it holds the whole answer; a small one is emptied at a
    # few kilobytes a retransmission timeout.
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    connection.sock.connect((host, int(port)))
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        yield connection


def test_a_reader_that_takes_nothing_holds_up_nobody(
    stage: Any, serve: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "steiner.server.http.event_stream")
    served = serve(long_answer(stage), send_timeout_s=0.5)
    with reader_that_takes_nothing(served.url, "/v1/reasoning", BODY) as connection:
        eventually(lambda: bool(served.service.generations.running))
        [generation] = served.service.generations.running
        # It runs to its end, another reader has all of it, and memory has none.
        whole = resume(served.url, generation.id).content
        assert events_of(whole)[-1]["type"] == "done"
        eventually(lambda: generation.buffer.num_bytes == 0)
        eventually(lambda: "cut off" in caplog.text)
        received = b""
        with pytest.raises(http.client.IncompleteRead), connection.getresponse() as answer:  # noqa: PT012
            while piece := answer.read1():
                received += piece
    seen = whole_events(received)
    assert 0 < len(seen) < len(whole)
    assert seen + resume(served.url, generation.id, last_id(seen)).content == whole


def data_of(answer: http.client.HTTPResponse) -> list[str]:
    return [block.split("data: ")[1] for block in answer.read().decode().split("\n\n") if "data: " in block]


def test_a_chat_whose_reader_lags_too_far_is_told_so(
    stage: Any, serve: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "steiner.server.api.chat.chunks")
    served = serve(long_answer(stage, num_words=500), send_timeout_s=60, max_stream_bytes=1 << 16)
    with reader_that_takes_nothing(served.url, "/v1/chat/completions", BODY | {"stream": True}) as reader:
        eventually(lambda: bool(served.service.generations.running))
        [generation] = served.service.generations.running
        eventually(lambda: generation.buffer.num_lost > 0, timeout_s=30)
        *_, told, done = data_of(reader.getresponse())
    assert done == "[DONE]"
    error = json.loads(told)["error"]
    assert error["code"] == "events_lost"
    assert "65536 bytes" in error["message"]
    eventually(lambda: not served.service.generations.running)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert generation.id in caplog.text


def test_so_is_that_of_a_response_that_is_not_stored(
    stage: Any, serve: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(long_answer(stage, num_words=500), send_timeout_s=60, max_stream_bytes=1 << 16)
    body = {"input": "make 22", "stream": True, "store": False}
    with reader_that_takes_nothing(served.url, "/v1/responses", body) as reader:
        eventually(lambda: bool(served.service.generations.running))
        [generation] = served.service.generations.running
        eventually(lambda: generation.buffer.num_lost > 0, timeout_s=30)
        *_, before, told = map(json.loads, data_of(reader.getresponse()))
    ResponseErrorEvent.model_validate(told)
    assert (told["type"], told["code"]) == ("error", "events_lost")
    assert told["sequence_number"] == before["sequence_number"] + 1
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["WARNING"]


def test_a_chat_whose_reader_takes_nothing_is_ended(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(long_answer(stage, holds=True), send_timeout_s=0.5)
    with reader_that_takes_nothing(served.url, "/v1/chat/completions", BODY | {"stream": True}):
        eventually(lambda: len(served.engine.aborted) == 1, timeout_s=30)
    eventually(lambda: not served.service.generations.running)
