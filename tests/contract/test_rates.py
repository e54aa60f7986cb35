"""Requests and tokens a minute over HTTP: OpenAI's headers, OpenAI's refusal, and each key for itself."""

import re
from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

from steiner.server.access.keys import hash_key

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
NUM_PROMPT_TOKENS = 14


def key(name: str, **limits: int) -> dict[str, Any]:
    return {"name": name, "sha256": hash_key(name)} | limits


def ask(served: Any, name: str, path: str = "/v1/chat/completions") -> httpx.Response:
    return httpx.post(served.url + path, json=BODY, headers={"Authorization": f"Bearer {name}"})


def until_refused(served: Any, name: str, path: str) -> list[httpx.Response]:
    """Answers up to the refusal: two, or three where a minute ended between them."""
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code == 200:
        answers.append(ask(served, name, path))
        assert len(answers) <= 4
    assert len(answers) >= 3
    assert answers[-1].status_code == 429
    return answers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/reasoning"])
def test_requests_a_minute(stage: Any, serve: Any, path: str) -> None:
    served = serve(stage.engine(stage.one_step), api_keys=[key("a", requests_per_minute=2), key("b")])
    answers = until_refused(served, "a", path)
    for answer, remaining in zip(answers, ("1", "0", *["0"] * len(answers[2:])), strict=True):
        assert answer.headers["x-ratelimit-limit-requests"] == "2"
        assert answer.headers["x-ratelimit-remaining-requests"] == remaining
        assert re.fullmatch(r"(\d+m)?\d+(s|ms)", answer.headers["x-ratelimit-reset-requests"])
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("requests", "rate_limit_exceeded", None)
    assert "2 requests a minute" in error["message"]
    assert "try again in" in error["message"]
    other = ask(served, "b", path)
    assert other.status_code == 200
    assert not [name for name in other.headers if name.startswith("x-ratelimit")]
    page = httpx.get(f"{served.url}/metrics").text
    assert 'steiner_requests_refused_total{reason="requests_per_minute"} 1.0' in page


def test_prompt_and_generated_tokens_a_minute(stage: Any, serve: Any, eventually: Any) -> None:
    engine = stage.engine(stage.one_step)
    served = serve(engine, api_keys=[key("a", tokens_per_minute=45)])
    first = ask(served, "a")
    assert first.status_code == 200
    assert first.headers["x-ratelimit-remaining-tokens"] == str(45 - NUM_PROMPT_TOKENS)
    usage = first.json()["usage"]
    assert usage["prompt_tokens"] == NUM_PROMPT_TOKENS
    assert usage["total_tokens"] < 45 < usage["total_tokens"] + NUM_PROMPT_TOKENS
    # What was generated is counted at the end; the next request meets both.
    eventually(lambda: not served.service.entrance.rates._tasks)
    second = ask(served, "a")
    assert second.status_code == 429
    assert second.json()["error"]["type"] == "tokens"
    taken = re.search(rf"has taken (\d+) and asks for {NUM_PROMPT_TOKENS}", second.text)
    # One less where a minute ended in between.
    assert taken is not None
    assert int(taken[1]) in (usage["total_tokens"] - 1, usage["total_tokens"])
    assert len(engine.requests) == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/reasoning", "/v1/responses"])
def test_a_prompt_that_never_fits_is_a_mistake_of_the_caller(stage: Any, serve: Any, path: str) -> None:
    limit = NUM_PROMPT_TOKENS - 1
    served = serve(stage.engine(stage.one_step), api_keys=[key("a", tokens_per_minute=limit)])
    body, param = (BODY, "messages")
    if path == "/v1/responses":
        body, param = ({"input": BODY["messages"]}, "input")
    answer = httpx.post(served.url + path, json=body, headers={"Authorization": "Bearer a"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert error["param"] == param
    assert f"{NUM_PROMPT_TOKENS} tokens" in error["message"]
    assert f"{limit} tokens a minute" in error["message"]
    assert not served.engine.requests


def test_it_is_not_sent_again(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), tokens_per_minute=NUM_PROMPT_TOKENS - 1)
    requests: list[httpx.Request] = []
    with (
        httpx.Client(event_hooks={"request": [requests.append]}) as http,
        official_client(served, max_retries=2, http_client=http) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="tiny", messages=BODY["messages"])  # type: ignore[arg-type]
    assert "never fits" in refused.value.message
    assert len(requests) == 1


def test_limits_of_the_deployment_hold_for_everyone(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), requests_per_minute=1)
    statuses = [ask(served, name).status_code for name in ("a", "b", "c")]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_key_may_have_no_limit_where_others_do(stage: Any, serve: Any) -> None:
    served = serve(
        stage.engine(stage.one_step), requests_per_minute=1, api_keys=[key("a", requests_per_minute=0)]
    )
    assert [ask(served, "a").status_code for _ in range(3)] == [200] * 3


def test_replicas_count_together_in_redis(stage: Any, serve: Any, redis_server: Any) -> None:
    options = {
        "api_keys": [key("a", requests_per_minute=2)],
        "store": "redis",
        "redis_url": redis_server.url,
    }
    replicas = [serve(stage.engine(stage.one_step), **options) for _ in range(2)]
    assert [ask(replicas[turn % 2], "a").status_code for turn in range(3)] == [200, 200, 429]


def test_a_long_prompt_is_refused_with_both_numbers(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), max_prompt_tokens=NUM_PROMPT_TOKENS - 1)
    answer = ask(served, "a")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert str(NUM_PROMPT_TOKENS) in error["message"]
    assert str(NUM_PROMPT_TOKENS - 1) in error["message"]
