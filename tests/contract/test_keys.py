"""API keys over HTTP: who gets in, what belongs to whom, and that no key is ever told."""

import logging
from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

from steiner.server.access.keys import hash_key

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
ALICE, BOB = "sk-steiner-of-alice", "sk-steiner-of-bob"
KEYS = [{"name": "alice", "sha256": hash_key(ALICE)}, {"name": "bob", "sha256": hash_key(BOB)}]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step), api_keys=KEYS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(ALICE[:-1]),
        {"Authorization": ALICE},
        {"Authorization": f"Basic {ALICE}"},
        {"x-api-key": ALICE},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/reasoning"),
        ("GET", "/v1/reasoning/rsn_1"),
        ("GET", "/v1/reasoning/rsn_1/events"),
        ("DELETE", "/v1/reasoning/rsn_1"),
        ("GET", "/v1/models"),
        ("GET", "/nothing/here"),
    ],
)
def test_without_a_key_nothing_is_served(
    served: Any, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.request(method, served.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert ALICE not in answer.text


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/metrics", "/docs", "/docs/swagger-ui.css", "/openapi.json"]
)
def test_probes_and_the_description_are_open(served: Any, path: str) -> None:
    # The description is made when it is first asked for, which takes seconds on a busy machine.
    assert httpx.get(served.url + path, timeout=60).status_code == 200


def test_metrics_can_be_protected(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_keys=KEYS, protect_metrics=True)
    assert httpx.get(f"{served.url}/metrics").status_code == 401
    assert httpx.get(f"{served.url}/metrics", headers=bearer(BOB)).status_code == 200
    assert httpx.get(f"{served.url}/health").status_code == 200


def test_the_official_client_sends_its_key(served: Any) -> None:
    def ask(key: str) -> str | None:
        with official_client(served, api_key=key) as client:
            completion = client.chat.completions.create(model="tiny", messages=BODY["messages"])  # type: ignore[arg-type]
            return completion.choices[0].message.content

    assert ask(ALICE) == "22"
    with pytest.raises(openai.AuthenticationError) as refused:
        ask("wrong")
    assert refused.value.code == "invalid_api_key"


def test_keys_in_clear_work_as_with_vllm(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_key=["first", "second"])
    statuses = [
        httpx.get(f"{served.url}/v1/models", headers=bearer(key)).status_code
        for key in ("first", "second", "third")
    ]
    assert statuses == [200, 200, 401]


def test_what_a_caller_made_does_not_exist_for_another(served: Any) -> None:
    answer = httpx.post(f"{served.url}/v1/reasoning", json=BODY, headers=bearer(ALICE))
    generation_id = answer.text.split('"id":"')[1].split('"')[0]
    url = f"{served.url}/v1/reasoning/{generation_id}"
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert httpx.request(method, url + path, headers=bearer(BOB)).status_code == 404
    assert httpx.get(url, headers=bearer(ALICE)).status_code == 200


def test_a_refused_request_is_not_read(served: Any) -> None:
    answer = httpx.post(f"{served.url}/v1/chat/completions", content=b"{" * 10_000_000)
    assert answer.status_code == 401


def test_no_key_is_logged(served: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for key in (ALICE, "sk-steiner-wrong"):
            httpx.post(f"{served.url}/v1/chat/completions", json=BODY, headers=bearer(key))
            httpx.post(f"{served.url}/v1/chat/completions", json={"bad": 1}, headers=bearer(key))
    own = [record.getMessage() for record in caplog.records if record.name.startswith(("steiner", "uvicorn"))]
    assert not [line for line in own if ALICE in line or "sk-steiner-wrong" in line]


def test_refused_keys_are_counted(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step), api_keys=KEYS)
    httpx.get(f"{served.url}/v1/models", headers=bearer("wrong"))
    page = httpx.get(f"{served.url}/metrics").text
    assert 'steiner_requests_refused_total{reason="invalid_api_key"} 1.0' in page
