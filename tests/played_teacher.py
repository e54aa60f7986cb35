"""A teacher over HTTP that answers as a test says: with any status, header and text, at any time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    Attributes:
        body: JSON value, or the bytes themselves.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def completion(content: str, finish_reason: str = "stop", **changes: Any) -> Answer:
    """A chat completion of 100 prompt tokens and 50 others; keyword arguments replace its fields."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "played",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": usage,
    }
    return Answer(body | changes)


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """An error in OpenAI's shape; underscores of header names stand for hyphens."""
    error = {"message": message, "type": "refused", "param": None, "code": code}
    return Answer({"error": error}, status, {name.replace("_", "-"): text for name, text in headers.items()})


Play = Callable[[dict[str, Any]], Answer]


class PlayedTeacher:
    """Listens on a port of this machine.

    Attributes:
        requests: bodies, in the order in which they came.
        authorizations: the headers of that name, None where there was none.
    """

    def __init__(self, play: Play) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                teacher.requests.append(body)
                teacher.authorizations.append(self.headers.get("authorization"))
                answer = play(body)
                raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, text in {"content-type": "application/json", **answer.headers}.items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()

    @property
    def url(self) -> str:
        """With `/v1`, as a client wants it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)


def in_turn(*answers: Answer) -> Play:
    """These answers, the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
