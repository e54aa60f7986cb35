"""The queue over HTTP: who waits, who is turned away, and that a client who leaves gives its place up."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from steiner.server.access.keys import hash_key

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


class Leaver:
    """A client that sends a request and can close its socket."""

    def __init__(self, served: Any, path: str, body: dict[str, Any], headers: str = "") -> None:
        host, port = served.url.removeprefix("http://").split(":")
        content = json.dumps(body).encode()
        self.socket = socket.create_connection((host, int(port)))
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}"
        self.socket.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)

    def leave(self) -> None:
        self.socket.close()


@pytest.fixture
def leaver() -> Iterator[Callable[..., Leaver]]:
    """Makes clients; those that have not left do so when the test ends."""
    clients: list[Leaver] = []

    def connect(*request: Any) -> Leaver:
        clients.append(Leaver(*request))
        return clients[-1]

    yield connect
    for client in clients:
        client.leave()


def places(served: Any) -> tuple[int, int]:
    admission = served.service.entrance.admission
    return admission.num_running, admission.num_waiting


@pytest.fixture
def held(stage: Any, serve: Any) -> Any:
    """A server whose generations never end by themselves: one runs, two may wait."""
    return serve(stage.engine(f"<start>{stage.step()}", holds=True), max_running=1, max_queued=2)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_gives_its_place_up(
    held: Any, eventually: Any, leaver: Any, stream: bool
) -> None:
    clients = []
    for expected in ((1, 0), (1, 1), (1, 2)):
        clients.append(leaver(held, "/v1/chat/completions", BODY | {"stream": stream}))
        eventually(lambda expected=expected: places(held) == expected)
    eventually(lambda: len(held.engine.requests) == 1)
    first, second, third = clients
    second.leave()
    eventually(lambda: places(held) == (1, 1), timeout_s=1.0)
    assert held.engine.aborted == []
    first.leave()
    eventually(lambda: places(held) == (1, 0), timeout_s=1.0)
    eventually(lambda: len(held.engine.requests) == 2)
    assert len(held.engine.aborted) == 1
    third.leave()
    eventually(lambda: places(held) == (0, 0), timeout_s=1.0)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/reasoning"])
def test_beyond_the_queue_is_429(held: Any, eventually: Any, leaver: Any, path: str) -> None:
    clients = [leaver(held, "/v1/chat/completions", BODY) for _ in range(3)]
    eventually(lambda: places(held) == (1, 2))
    page = httpx.get(f"{held.url}/metrics").text
    assert "steiner_generations_active 1.0" in page
    assert "steiner_generations_queued 2.0" in page
    answer = httpx.post(held.url + path, json=BODY)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    error = answer.json()["error"]
    assert error["code"] == "queue_full"
    assert "queue of 2" in error["message"]
    assert 'steiner_requests_refused_total{reason="queue_full"} 1.0' in httpx.get(f"{held.url}/metrics").text
    for client in clients:
        client.leave()
    eventually(lambda: places(held) == (0, 0))


def test_a_waiting_stream_starts_at_once_and_can_be_cancelled(
    held: Any, eventually: Any, leaver: Any
) -> None:
    first = leaver(held, "/v1/chat/completions", BODY)
    eventually(lambda: places(held) == (1, 0))
    with httpx.stream("POST", f"{held.url}/v1/reasoning", json=BODY) as answer:
        lines = answer.iter_lines()
        started = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
        assert started["type"] == "reasoning.started"
        assert places(held) == (1, 1)
        assert httpx.delete(f"{held.url}/v1/reasoning/{started['id']}").status_code == 204
        assert places(held) == (1, 0)
        names = [line for line in lines if line.startswith("event: ")]
    assert names == ["event: usage", "event: cancelled"]
    assert len(held.engine.requests) == 1
    first.leave()
    eventually(lambda: places(held) == (0, 0))


def test_a_generation_waits_on_when_its_reader_leaves(
    stage: Any, serve: Any, eventually: Any, leaver: Any
) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True), max_running=1)
    first = leaver(served, "/v1/chat/completions", BODY)
    eventually(lambda: places(served) == (1, 0))
    second = leaver(served, "/v1/reasoning", BODY)
    eventually(lambda: places(served) == (1, 1))
    second.leave()
    first.leave()
    eventually(lambda: len(served.engine.requests) == 2)
    assert places(served) == (1, 0)


def test_a_wait_that_is_too_long_is_503(stage: Any, serve: Any, eventually: Any, leaver: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True), max_running=1, queue_timeout_s=0.05)
    leaver(served, "/v1/reasoning", BODY)
    eventually(lambda: places(served) == (1, 0))
    answer = httpx.post(f"{served.url}/v1/chat/completions", json=BODY)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "queue_timeout"


def test_at_shutdown_those_who_wait_are_told(held: Any, eventually: Any, leaver: Any) -> None:
    leaver(held, "/v1/reasoning", BODY)
    eventually(lambda: places(held) == (1, 0))
    answers: dict[str, httpx.Response] = {}

    def ask(path: str) -> None:
        answers[path] = httpx.post(held.url + path, json=BODY)

    threads = [
        threading.Thread(target=ask, args=(path,)) for path in ("/v1/chat/completions", "/v1/reasoning")
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: places(held) == (1, 2))
    held.loop.call_soon_threadsafe(held.service.drain)
    for thread in threads:
        thread.join(timeout=5)
    whole = answers["/v1/chat/completions"]
    assert (whole.status_code, whole.json()["error"]["code"]) == (503, "draining")
    assert "event: error" in answers["/v1/reasoning"].text
    assert '"code":"draining"' in answers["/v1/reasoning"].text
    assert places(held) == (1, 0)


def test_a_caller_may_have_only_so_many_at_once(stage: Any, serve: Any, eventually: Any, leaver: Any) -> None:
    keys = [
        {"name": "alice", "sha256": hash_key("a"), "max_concurrent": 1},
        {"name": "bob", "sha256": hash_key("b")},
    ]
    served = serve(stage.engine(f"<start>{stage.step()}", holds=True), api_keys=keys, max_concurrent=2)
    leaver(served, "/v1/reasoning", BODY, "Authorization: Bearer a\r\n")
    eventually(lambda: places(served) == (1, 0))
    answer = httpx.post(f"{served.url}/v1/reasoning", json=BODY, headers={"Authorization": "Bearer a"})
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert "limit is 1" in answer.json()["error"]["message"]
    for count in (2, 3):
        leaver(served, "/v1/reasoning", BODY, "Authorization: Bearer b\r\n")
        eventually(lambda count=count: places(served) == (count, 0))
    answer = httpx.post(f"{served.url}/v1/reasoning", json=BODY, headers={"Authorization": "Bearer b"})
    assert (answer.status_code, "limit is 2" in answer.text) == (429, True)
