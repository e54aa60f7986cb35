"""Requests that offer h2c or WebSocket are answered over HTTP/1.1, with their bodies: of curl, of Java, by hand."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}
CONTENT = json.dumps(BODY).encode()
PATH = "/v1/chat/completions"
OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA\r\n"
JSON = "Content-Type: application/json\r\n"


class Connection:
    """Bytes to the server, and whole answers back."""

    def __init__(self, served: Any) -> None:
        host, port = served.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.file = self.socket.makefile("rb")

    def send(self, head: str, body: bytes = b"") -> None:
        self.socket.sendall(f"{head}Host: x\r\n\r\n".encode() + body)

    def status(self) -> int:
        """Of an answer without a body, such as 100 Continue."""
        status, _ = self._head()
        return status

    def answer(self) -> tuple[int, Any]:
        status, headers = self._head()
        return status, json.loads(self.file.read(int(headers["content-length"])))

    def _head(self) -> tuple[int, dict[str, str]]:
        status = int(self.file.readline().split()[1])
        lines = iter(self.file.readline, b"\r\n")
        pairs = (line.decode().rstrip().split(": ", 1) for line in lines)
        return status, {name.lower(): value for name, value in pairs}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step), max_head_bytes=4096, request_timeout_s=1.0)


@pytest.fixture
def connect(served: Any) -> Iterator[Callable[[], Connection]]:
    """Makes connections, which end with the test."""
    with ExitStack() as stack:

        def make() -> Connection:
            made = Connection(served)
            stack.callback(made.socket.close)
            stack.callback(made.file.close)
            return made

        yield make


@pytest.fixture
def connection(connect: Callable[[], Connection]) -> Connection:
    return connect()


def is_answer(answer: tuple[int, Any]) -> bool:
    status, body = answer
    return status == 200 and body["choices"][0]["message"]["content"] == "22"


def head(extra: str, method: str = "POST", path: str = PATH, version: str = "1.1") -> str:
    return f"{method} {path} HTTP/{version}\r\n{extra}"


LENGTH = f"{JSON}Content-Length: {len(CONTENT)}\r\n"


@pytest.mark.parametrize(
    "offer",
    [OFFER, "Connection: upgrade\r\nUpgrade: websocket\r\n", "upgrade: TLS/1.0\r\nconnection: a,UPGRADE\r\n"],
)
def test_the_body_is_read_and_the_connection_goes_on(connection: Connection, offer: str) -> None:
    for extra in (offer, "", offer):
        connection.send(head(extra + LENGTH), CONTENT)
        assert is_answer(connection.answer())
    connection.send(head(offer, "GET", "/health"))
    assert connection.answer()[0] == 200


@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_it_may_come_in_pieces_of_any_size(connection: Connection, size: int) -> None:
    message = head(OFFER + LENGTH + "Host: x\r\n\r\n").encode() + CONTENT
    for start in range(0, len(message), size):
        connection.socket.sendall(message[start : start + size])
    assert is_answer(connection.answer())


def test_a_body_in_chunks(connection: Connection) -> None:
    chunks = [CONTENT[:10], CONTENT[10:11], CONTENT[11:]]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    connection.send(head(f"{OFFER}{JSON}Transfer-Encoding: chunked\r\n"), body)
    assert is_answer(connection.answer())


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_waits_to_be_asked_for(connection: Connection, is_chunked: bool) -> None:
    length = f"{JSON}Transfer-Encoding: chunked\r\n" if is_chunked else LENGTH
    connection.send(head(f"{OFFER}{length}Expect: 100-continue\r\n"))
    assert connection.status() == 100
    connection.socket.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT) if is_chunked else CONTENT)
    assert is_answer(connection.answer())


def test_requests_may_stand_close_together(connection: Connection) -> None:
    one = head(OFFER + LENGTH + "Host: x\r\n\r\n").encode() + CONTENT
    other = head(LENGTH + "Host: x\r\n\r\n").encode() + CONTENT
    connection.socket.sendall(one + other + one + one)
    for _ in range(4):
        assert is_answer(connection.answer())


def test_the_older_version_and_a_closing_client(connect: Callable[[], Connection]) -> None:
    for extra, version in ((OFFER, "1.0"), (OFFER.replace("Upgrade,", "close, Upgrade,"), "1.1")):
        connection = connect()
        connection.send(head(extra + LENGTH, version=version), CONTENT)
        assert is_answer(connection.answer())
        assert connection.file.read() == b""


def test_the_limits_hold_for_them_too(connect: Callable[[], Connection]) -> None:
    large = connect()
    large.socket.sendall(head(f"{OFFER}X-Long: {'a' * 5000}").encode())
    assert large.answer()[0] == 431
    for first in (b"", CONTENT[:5]):
        late = connect()
        late.send(head(OFFER + LENGTH), first)
        status, body = late.answer()
        assert (status, body["error"]["code"]) == (408, "request_timeout")


def test_two_lengths_are_still_refused(connection: Connection) -> None:
    connection.send(head(f"{OFFER}{LENGTH}Transfer-Encoding: chunked\r\n"), CONTENT)
    assert connection.status() == 400


def test_a_tunnel_is_none_of_ours(connection: Connection) -> None:
    connection.send("CONNECT example.org:443 HTTP/1.1\r\n")
    assert connection.status() in (400, 404, 405)


def curl(program: str, *arguments: str) -> tuple[str, Any]:
    """Version and status of the answer, and its body."""
    ran = subprocess.run(
        [program, "-sS", "-w", "\n%{http_version} %{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    body, _, status = ran.stdout.rpartition("\n")
    return status, json.loads(body)


@pytest.mark.parametrize("option", ["--http2", "--http1.1"])
def test_curl_that_would_rather_speak_http_2(served: Any, program: Any, tmp_path: Path, option: str) -> None:
    said = [option, "-H", "Content-Type: application/json"]
    status, body = curl(program("curl"), *said, "-d", CONTENT.decode(), served.url + PATH)
    assert status == "1.1 200"
    assert body["choices"][0]["message"]["content"] == "22"
    # So long that curl waits for 100 Continue, and the server reads it in several pieces.
    long = tmp_path / "body.json"
    long.write_text(json.dumps(BODY | {"user": "u" * 2_000_000}))
    status, body = curl(program("curl"), *said, "--data-binary", f"@{long}", served.url + PATH)
    assert status == "1.1 200"
    assert body["choices"][0]["message"]["content"] == "22"
    assert curl(program("curl"), option, f"{served.url}/v1/models")[0] == "1.1 200"


JAVA = f"""POST {PATH} HTTP/1.1
Connection: Upgrade, HTTP2-Settings
Content-Length: {len(CONTENT)}
Host: 127.0.0.1
HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA
Upgrade: h2c
User-Agent: Java-http-client/17.0.15
Content-Type: application/json

"""


def test_javas_client_as_it_comes(connection: Connection) -> None:
    """What java.net.http.HttpClient of Java 17 sends; head and body come in packets of their own."""
    for _ in range(2):
        connection.socket.sendall(JAVA.replace("\n", "\r\n").encode())
        connection.socket.sendall(CONTENT)
        assert is_answer(connection.answer())
