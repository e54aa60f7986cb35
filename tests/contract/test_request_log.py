"""Request ids and log lines: every request has an id and one line; no line has a key or a prompt."""

import dataclasses
import json
import logging
from typing import Any

import httpx
import pytest

from steiner.server.access.keys import hash_key
from steiner.server.http.log_lines import JsonFormatter, RequestIds, TextFormatter

SECRET = "make 22 from 15 4 11"
BODY = {"messages": [{"role": "user", "content": SECRET}]}
KEY = {"Authorization": "Bearer sk-steiner-alice"}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(
        stage.engine(stage.one_step), api_keys=[{"name": "alice", "sha256": hash_key("sk-steiner-alice")}]
    )


class Lines(logging.Handler):
    """Keeps what our handlers would write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(RequestIds())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    @property
    def access(self) -> list[dict[str, Any]]:
        lines = [json.loads(text) for text in self.texts]
        return [line for line in lines if line["logger"] == "steiner.access"]


@pytest.fixture
def lines() -> Any:
    handler = Lines(JsonFormatter())
    logger = logging.getLogger("steiner")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.mark.parametrize("given", ["abc-123", "4f6c:9/x=+@._", "a" * 128])
def test_a_sane_id_of_the_client_is_kept(served: Any, lines: Any, eventually: Any, given: str) -> None:
    answer = httpx.get(f"{served.url}/v1/models", headers=KEY | {"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given
    eventually(lambda: lines.access)
    assert lines.access[0]["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "a" * 129, "a b", 'a"b', "<script>", "ä", "-a"])
def test_any_other_is_replaced(served: Any, given: str | None) -> None:
    headers = KEY if given is None else KEY | {"X-Request-Id": given.encode("latin-1").decode("latin-1")}
    answer = httpx.get(
        f"{served.url}/v1/models", headers={k.encode(): v.encode("latin-1") for k, v in headers.items()}
    )
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/chat/completions", 400),
        ("GET", "/nothing", 404),
        ("PUT", "/v1/models", 405),
        ("GET", "/v1/reasoning/rsn_1", 404),
    ],
)
def test_refusals_have_ids_and_lines_too(
    served: Any, lines: Any, eventually: Any, method: str, path: str, status: int
) -> None:
    for headers, expected, caller in ((KEY, status, "alice"), ({}, 401, "-")):
        lines.texts.clear()
        answer = httpx.request(method, f"{served.url}{path}?key=secret", headers=headers)
        assert answer.status_code == expected
        eventually(lambda: lines.access)
        [line] = lines.access
        assert line["request_id"] == answer.headers["x-request-id"]
        assert (line["method"], line["path"], line["status"]) == (method, path, expected)
        assert line["caller"] == caller
        assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/reasoning"])
def test_a_line_has_the_tokens(served: Any, lines: Any, eventually: Any, path: str) -> None:
    answer = httpx.post(served.url + path, json=BODY, headers=KEY)
    assert answer.status_code == 200
    eventually(lambda: lines.access)
    [line] = lines.access
    assert (line["prompt_tokens"], line["completion_tokens"]) == (14, 23)
    assert line["duration_s"] > 0
    [generation_id] = line["generations"]
    assert generation_id.startswith(("chatcmpl-", "rsn_"))


def test_no_line_has_a_prompt_or_a_key(served: Any, lines: Any, eventually: Any) -> None:
    for body in (BODY, BODY | {"temperature": 9}, {"messages": SECRET}):
        for path in ("/v1/chat/completions", "/v1/reasoning"):
            httpx.post(served.url + path, json=body, headers=KEY)
    eventually(lambda: len(lines.access) == 6)
    for text in lines.texts:
        assert SECRET not in text
        assert "sk-steiner" not in text


def test_what_a_caller_writes_begins_no_line_of_its_own(served: Any, lines: Any, eventually: Any) -> None:
    httpx.get(f"{served.url}/v1/models/a%0Aforged%20line", headers=KEY)
    eventually(lambda: lines.access)
    assert lines.access[0]["path"] == "/v1/models/a%0Aforged%20line"
    record = logging.LogRecord("steiner", logging.INFO, "", 0, "a\nforged %s", ("b\r\nc",), None)
    text = TextFormatter().format(record)
    assert text.endswith("INFO - steiner: a\\nforged b\\r\\nc")


def test_probes_are_not_told_at_info(served: Any, lines: Any, eventually: Any) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert httpx.get(served.url + path).status_code == 200
    httpx.get(f"{served.url}/v1/models", headers=KEY)
    eventually(lambda: lines.access)
    assert [line["path"] for line in lines.access] == ["/v1/models"]


def test_nor_below_the_path_of_a_proxy(stage: Any, serve: Any, lines: Any, eventually: Any) -> None:
    served = serve(stage.engine(stage.one_step), root_path="/steiner")
    for path in ("/steiner/health", "/ready", "/steiner/v1/models"):
        assert httpx.get(served.url + path).status_code == 200
    eventually(lambda: lines.access)
    assert [line["path"] for line in lines.access] == ["/steiner/v1/models"]


def test_a_failure_of_ours_has_its_id_in_answer_and_log_and_no_stack_in_the_answer(
    stage: Any, serve: Any, lines: Any, eventually: Any
) -> None:
    served = serve(stage.engine(stage.one_step))
    # The one thing that no request can bring about: a service without what it needs.
    served.service._dispatch = dataclasses.replace(served.service.dispatch, loaded=None)
    answer = httpx.post(f"{served.url}/v1/chat/completions", json=BODY)
    assert answer.status_code == 500
    assert answer.json()["error"] == {
        "message": "internal error; the server's log has it",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    assert answer.headers["x-request-id"].startswith("req_")
    eventually(lambda: lines.access)
    assert lines.access[0]["status"] == 500
    assert lines.access[0]["request_id"] == answer.headers["x-request-id"]
    assert (
        'steiner_requests_refused_total{reason="internal_error"} 1.0'
        in httpx.get(f"{served.url}/metrics").text
    )


def test_answers_have_the_headers_of_caution(served: Any) -> None:
    answer = httpx.get(f"{served.url}/v1/models", headers=KEY)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", BODY | {"stream": True}), ("/v1/reasoning", BODY)],
)
def test_streams_pass_proxies_unbuffered_and_unkept(served: Any, path: str, body: dict[str, Any]) -> None:
    answer = httpx.post(served.url + path, json=body, headers=KEY)
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-store"
