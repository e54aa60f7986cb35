"""What can never succeed has a status that no client sends again: not 408, 409, 429 or 5xx."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

from steiner.server.access.keys import hash_key
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

USER = {"role": "user", "content": "make 22 from 15 4 11"}
JSON = {"Content-Type": "application/json"}
INPUT_OF = {"/v1/chat/completions": "messages", "/v1/reasoning": "messages", "/v1/responses": "input"}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step, per_update=50))


def counted(served: Any, key: str = "none") -> tuple[openai.OpenAI, list[httpx.Request]]:
    """The official client, with its own rules of when to send again, and what it sent."""
    requests: list[httpx.Request] = []
    http = httpx.Client(event_hooks={"request": [requests.append]})
    return official_client(served, api_key=key, max_retries=2, http_client=http), requests


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_keys": [{"name": "a", "sha256": hash_key("a"), "max_concurrent": 2}]}, ("above 2", "a may")),
        ({"max_concurrent": 2}, ("above 2",)),
        ({"max_running": 1, "max_queued": 1}, ("above 2", "this server")),
        ({"max_running": 2, "max_queued": 0}, ("above 2", "this server")),
        ({"max_choices": 2}, ("above 2", "STEINER_MAX_CHOICES")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_more_choices_than_there_can_ever_be(
    stage: Any, serve: Any, settings: dict[str, Any], words: tuple[str, ...], stream: bool
) -> None:
    served = serve(stage.engine(stage.one_step, per_update=50), **settings)
    client, requests = counted(served, "a")
    ask: Any = client.chat.completions.create
    with pytest.raises(openai.BadRequestError) as refused:
        ask(model="tiny", messages=[USER], n=3, stream=stream)
    assert refused.value.param == "n"
    for word in words:
        assert word in refused.value.message
    assert len(requests) == 1
    assert not served.engine.requests
    assert len(ask(model="tiny", messages=[USER], n=2).choices) == 2


def test_what_may_fit_later_is_429(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(ScriptedEngine([Script(stage.ids_of("<start>"), holds=True)]), max_concurrent=2)
    with httpx.stream("POST", f"{served.url}/v1/reasoning", json={"messages": [USER]}):
        eventually(lambda: served.service.entrance.admission.num_running == 1)
        answer = httpx.post(f"{served.url}/v1/chat/completions", json={"messages": [USER], "n": 2})
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_a_generation_that_took_too_long_is_not_begun_again_at_once(stage: Any, serve: Any) -> None:
    served = serve(stage.engine("<start>", holds=True), generation_timeout_s=0.2)
    client, requests = counted(served)
    asked: list[Callable[[], Any]] = [
        lambda: client.chat.completions.create(model="tiny", messages=[USER]),  # type: ignore[list-item]
        lambda: client.responses.create(model="tiny", input="make 22"),
    ]
    for num_before, ask in enumerate(asked):
        with pytest.raises(openai.InternalServerError) as late:
            ask()
        assert (late.value.status_code, late.value.code) == (503, "timeout")
        assert "fewer tokens" in late.value.message
        assert len(requests) == num_before + 1


HOLE = "a hole in a body"


def nested(depth: int) -> str:
    return '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2)


# Where a body can have anything: a value there, and the body around it.
PLACES = {
    "temperature": lambda value: {"temperature": value},
    "an unknown field": lambda value: {"nothing": value},
    "metadata": lambda value: {"metadata": {"a": value}},
    "reasoning": lambda value: {"reasoning": value},
    "stop": lambda value: {"stop": value},
    "logit_bias": lambda value: {"logit_bias": {"1": value}},
    "user": lambda value: {"user": value},
    "tools": lambda value: {"tools": value},
    "a tool": lambda value: {"tools": [value]},
    "tool_choice": lambda value: {"tool_choice": value},
    "response_format": lambda value: {"response_format": value},
    "text": lambda value: {"text": {"format": value}},
    "stream_options": lambda value: {"stream": True, "stream_options": value},
    "what is not offered": lambda value: {"audio": value, "prompt": value, "vllm_xargs": value},
    "model": lambda value: {"model": value},
    "include": lambda value: {"include": value},
}
MESSAGES = {
    "a message": lambda value: value,
    "content": lambda value: {"role": "user", "content": value},
    "a part": lambda value: {"role": "user", "content": [value]},
    "an unknown field of it": lambda value: USER | {"nothing": value},
    "annotations": lambda value: {"role": "assistant", "content": "a", "annotations": [value]},
    "audio": lambda value: {"role": "assistant", "content": "a", "audio": value},
    "steps": lambda value: {"role": "assistant", "content": "a", "reasoning_steps": [value]},
    "a call": lambda value: {"role": "assistant", "tool_calls": [value]},
    "logprobs": lambda value: {
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a", "logprobs": [value]}],
    },
}
# As JSON text: Python's own encoder gives up on some of them.
ODD = {
    **{f"nested {depth}": nested(depth) for depth in (40, 100, 150, 250, 300, 400, 500, 600, 700, 800, 850)},
    **{f"nested {depth}": nested(depth) for depth in (*range(900, 1000, 8), 1000, 1010, 2000, 100_000)},
    "half a character": '"\\ud800"',
    "a large integer": "1" * 4000,
    "a larger integer": "1" * 5000,
    "a small integer": "-" + "1" * 4000,
    "a long text": f'"{"x" * 100_000}"',
    "nul": '"\\u0000"',
    "odd names": r'{"\ud800": 1, "": 2, "(text)": 3, "[key]": 4}',
    "a list of much": json.dumps(list(range(5000))),
}


@pytest.mark.parametrize("path", INPUT_OF)
@pytest.mark.parametrize("odd", ODD)
def test_nothing_in_a_body_is_a_failure_of_the_server(served: Any, path: str, odd: str) -> None:
    field = INPUT_OF[path]
    bodies: list[Any] = [{field: [USER]} | place(HOLE) for place in PLACES.values()]
    bodies += [{field: [USER, place(HOLE), USER]} for place in MESSAGES.values()]
    bodies += [{field: HOLE}, HOLE]
    with httpx.Client(headers=JSON, timeout=20) as client:
        for body in bodies:
            answer = client.post(served.url + path, content=json.dumps(body).replace(f'"{HOLE}"', ODD[odd]))
            assert answer.status_code in (200, 400, 404), (body, answer.text[:500])
            if answer.status_code != 200:
                assert len(answer.text) < 2000


@pytest.mark.parametrize(
    "odd", ["%00", "%ff", "%ed%a0%80", "a" * 5000, "%0d%0aa:b", "'; drop table x", "%F0%9F%98%80"]
)
def test_nothing_in_a_path_is_a_failure_of_the_server(served: Any, odd: str) -> None:
    for path in (
        "responses/{}",
        "responses/{}/input_items",
        "reasoning/{}",
        "reasoning/{}/events",
        "models/{}",
    ):
        answer = httpx.get(f"{served.url}/v1/{path.format(odd)}")
        assert answer.status_code == 404, (path, answer.text)
    body = {"input": "make 22", "previous_response_id": odd}
    assert httpx.post(f"{served.url}/v1/responses", json=body).status_code == 400


def test_a_background_response_without_a_store(served: Any) -> None:
    body = {"input": "make 22", "background": True, "store": False}
    assert httpx.post(f"{served.url}/v1/responses", json=body).status_code == 400
