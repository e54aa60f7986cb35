"""HTTP below the bodies: HEAD, paths that are none, methods that are not served, compressed bodies."""

import gzip
import json
import zlib
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from steiner.server.access.keys import hash_key

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
CONTENT = json.dumps(BODY).encode()
JSON = {"Content-Type": "application/json"}
GENERATING = ["/v1/chat/completions", "/v1/responses", "/v1/reasoning"]


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step), served_model_name="org/tiny")


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize(
    "path",
    [
        *("/health", "/ready", "/metrics", "/v1/models", "/v1/models/org/tiny", "/openapi.json", "/docs"),
        *("/docs/swagger-ui.css", "/view", "/view/assets/standalone.html", "/view/rsn_1"),
    ],
)
def test_head_is_get_without_the_content(served: Any, path: str) -> None:
    with httpx.Client(base_url=served.url) as client:
        # Over one connection: a body that was sent all the same would be read as the next answer's head.
        head, get = client.head(path), client.get(path)
        assert client.head(path).status_code == head.status_code
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b""
    changing = {"date", "x-request-id"}
    for name in set(head.headers) - changing - {"content-length"}:
        assert head.headers[name] == get.headers[name]
    assert set(head.headers) == set(get.headers)
    if path != "/metrics":
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_has_the_status_of_get(served: Any, stage: Any, serve: Any) -> None:
    for path, status in (("/v1/responses/resp_1", 404), ("/v1/models/other", 404), ("/nothing", 404)):
        assert httpx.head(served.url + path).status_code == status
    for path in GENERATING:
        answer = httpx.head(served.url + path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    keyed = serve(stage.engine(stage.one_step), api_keys=[{"name": "alice", "sha256": hash_key("a")}])
    assert httpx.head(f"{keyed.url}/v1/models").status_code == 401
    assert httpx.head(f"{keyed.url}/health").status_code == 200
    keyed.loop.call_soon_threadsafe(keyed.service.drain)
    assert httpx.get(f"{keyed.url}/ready").status_code == httpx.head(f"{keyed.url}/ready").status_code == 503


def test_head_of_a_stream_does_not_wait_for_its_end(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True))
    with httpx.stream("POST", f"{served.url}/v1/reasoning", json=BODY) as answer:
        location = answer.headers["content-location"]
    with httpx.Client(base_url=f"{served.url}/v1/", timeout=5) as client:
        for _ in range(2):
            head = client.head(f"{location}/events")
            assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (
                200,
                "text/event-stream",
            )
        assert client.get(location).status_code == 200


PATHS = {
    "/v1/chat/completions": ("POST", {"POST"}),
    "/v1/responses": ("POST", {"POST"}),
    "/v1/responses/resp_1": ("GET", {"GET", "HEAD", "DELETE"}),
    "/v1/responses/resp_1/cancel": ("POST", {"POST"}),
    "/v1/responses/resp_1/input_items": ("GET", {"GET", "HEAD"}),
    "/v1/reasoning": ("POST", {"POST"}),
    "/v1/reasoning/rsn_1": ("GET", {"GET", "HEAD", "DELETE"}),
    "/v1/reasoning/rsn_1/events": ("GET", {"GET", "HEAD"}),
    "/v1/models": ("GET", {"GET", "HEAD"}),
    "/v1/models/org/tiny": ("GET", {"GET", "HEAD"}),
    "/health": ("GET", {"GET", "HEAD"}),
    "/metrics": ("GET", {"GET", "HEAD"}),
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_a_known_path_says_which_methods_it_has(served: Any, path: str, method: str) -> None:
    _, allowed = PATHS[path]
    answer = httpx.request(method, served.url + path)
    if method in allowed:
        assert answer.status_code != 405
        return
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    if method != "HEAD":
        assert error_of(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", [*PATHS, "/view", "/docs", "/openapi.json"])
@pytest.mark.parametrize("behind", ["/", "/foo/bar/baz", "//", "/%2e%2e/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_below_a_known_path_there_is_nothing_else(served: Any, path: str, behind: str, method: str) -> None:
    answer = httpx.request(method, served.url + path + behind, json=BODY, follow_redirects=False)
    assert answer.status_code == 404
    code = error_of(answer)["code"]
    of_a_model = method == "GET" and path.startswith("/v1/models") and (path, behind) != ("/v1/models", "/")
    assert code == ("model_not_found" if of_a_model else "unknown_route")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions/foo"),
        ("GET", "/v1/chat/completions/chatcmpl-1"),
        ("GET", "/v1/chat"),
        ("GET", "/v1"),
        ("GET", "/"),
        ("POST", "/v1/models/x/y"),
        ("DELETE", "/v1/models/other"),
        ("GET", "/v1/reasoning/rsn_1/unknown"),
        ("POST", "/v1/reasoning/rsn_1/cancel"),
        ("GET", "/v1/responses/x/y"),
        ("POST", "/v1/responses/x/y"),
        ("POST", "/v1/responses/compact/x"),
    ],
)
def test_what_is_not_served_is_unknown(served: Any, method: str, path: str) -> None:
    answer = httpx.request(method, served.url + path, json=BODY if method == "POST" else None)
    assert answer.status_code == 404
    error = error_of(answer)
    assert error["code"] == "unknown_route"
    assert path in error["message"]


def compressed(coding: str) -> bytes:
    match coding:
        case "gzip" | "x-gzip":
            return gzip.compress(CONTENT)
        case "deflate":
            return zlib.compress(CONTENT)
        case _:
            return CONTENT


@pytest.mark.parametrize("path", GENERATING)
@pytest.mark.parametrize(
    "coding", ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "compress", "gzip, br", "identity, gzip"]
)
def test_a_compressed_body_is_refused_for_that(served: Any, path: str, coding: str) -> None:
    headers = JSON | {"Content-Encoding": coding}
    answer = httpx.post(served.url + path, content=compressed(coding), headers=headers)
    assert answer.status_code == 415
    error = error_of(answer)
    assert (error["code"], error["param"]) == ("unsupported_encoding", None)
    assert coding.split(", ")[-1] in error["message"]
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_a_plain_body_may_say_so(served: Any, coding: str) -> None:
    headers = JSON | {"Content-Encoding": coding}
    answer = httpx.post(f"{served.url}/v1/chat/completions", content=CONTENT, headers=headers)
    assert answer.status_code == 200


def test_without_a_body_nothing_is_compressed(served: Any) -> None:
    assert httpx.get(f"{served.url}/v1/models", headers={"Content-Encoding": "gzip"}).status_code == 200


def test_a_coding_of_the_transfer_is_refused_too(served: Any) -> None:
    packed = gzip.compress(CONTENT)
    connection = HTTPConnection(served.url.removeprefix("http://"))
    connection.putrequest("POST", "/v1/chat/completions")
    for name, value in {**JSON, "Transfer-Encoding": "gzip, chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed))
    assert connection.getresponse().status == 415
    connection.close()
