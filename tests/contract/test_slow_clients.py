"""Clients that send slowly, or too much before the body: bounded in time and in bytes, on real sockets."""

import json
import socket
from typing import Any

import httpx
import pytest

BODY = json.dumps({"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}).encode()
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
)


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step), request_timeout_s=0.2, max_head_bytes=2048)


def exchange(served: Any, *pieces: bytes) -> bytes:
    """Send pieces and read until the server closes."""
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received


@pytest.mark.parametrize("sent", [b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Slow: "])
def test_a_head_that_does_not_come_ends_the_connection(served: Any, sent: bytes) -> None:
    received = exchange(served, sent)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"0.2 s" in received


@pytest.mark.parametrize("sent", [b"", BODY[:-1]])
def test_a_body_that_does_not_come_is_told_so(served: Any, sent: bytes) -> None:
    received = exchange(served, HEAD + sent)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in received.lower()
    assert json.loads(received.split(b"\r\n\r\n")[1])["error"]["code"] == "request_timeout"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 4000,
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 400,
    ],
)
def test_a_head_that_does_not_end_is_refused(served: Any, sent: bytes) -> None:
    assert exchange(served, sent).startswith(b"HTTP/1.1 431 ")


def test_a_stream_outlives_the_time_for_requests(stage: Any, serve: Any) -> None:
    served = serve(
        stage.engine(f"<start>{stage.step()}", holds=True), request_timeout_s=0.05, generation_timeout_s=1.5
    )
    body = json.loads(BODY)
    answer = httpx.post(f"{served.url}/v1/reasoning", json=body)
    assert answer.text.count("event: ") > 5
    assert '"code":"timeout"' in answer.text


def test_a_connection_serves_many_requests(served: Any) -> None:
    with httpx.Client(base_url=served.url) as client:
        statuses = [
            client.post("/v1/chat/completions", content=BODY, headers={"Content-Type": "application/json"})
            for _ in range(5)
        ]
    assert [answer.status_code for answer in statuses] == [200] * 5
