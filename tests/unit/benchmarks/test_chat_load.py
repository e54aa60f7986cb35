"""The load generator and the table of the serving benchmark, against a scripted server."""

import http.server
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
FIELDS = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def chat_load() -> Iterator[ModuleType]:
    """benchmarks/ holds scripts beside each other and no package: loaded as `python benchmarks/serve.py` would."""
    spec = importlib.util.spec_from_file_location("chat_load", FOLDER / "chat_load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["chat_load"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["chat_load"]


class Chat(http.server.BaseHTTPRequestHandler):
    """Streams five tokens and their usage; counts how many requests run at once."""

    chunks: ClassVar[list[str]] = [
        '{"choices":[{"delta":{"role":"assistant","content":""}}]}',
        '{"choices":[{"delta":{"content":"a"}}],"usage":null}',
        '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}',
        "[DONE]",
    ]
    bodies: ClassVar[list[dict[str, object]]]
    together: ClassVar[threading.Barrier]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.together.wait(timeout=20)
        self.send_response(200)
        self.end_headers()
        for chunk in self.chunks:
            self.wfile.write(f"data: {chunk}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Chat]]]:
    class Handler(Chat):
        bodies: ClassVar[list[dict[str, object]]] = []
        together = threading.Barrier(2)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}/v1/chat/completions", Handler
        listener.shutdown()
        thread.join()


def test_keeps_the_concurrency_and_counts_tokens(
    chat_load: ModuleType, server: tuple[str, type[Chat]]
) -> None:
    url, handler = server
    # The barrier of two lets nobody through unless two requests are open at a time.
    run = chat_load.measure(url, FIELDS, concurrency=2, num_requests=6, front_end_pid=os.getpid())
    assert run.tokens_per_request == 5
    assert run.tokens_per_s > 0
    assert 0 < run.ttft_p50_s < 20
    assert len(handler.bodies) == 6
    assert all(body["stream_options"] == {"include_usage": True} for body in handler.bodies)
    prompts = [body["messages"] for body in handler.bodies]
    assert len({json.dumps(prompt) for prompt in prompts}) == 6


@pytest.mark.parametrize(("lost", "message"), [(1, "No text in the stream"), (2, "No usage at the end")])
def test_an_incomplete_stream_is_no_measurement(
    chat_load: ModuleType, server: tuple[str, type[Chat]], lost: int, message: str
) -> None:
    url, handler = server
    handler.together = threading.Barrier(1)
    handler.chunks = [chunk for index, chunk in enumerate(Chat.chunks) if index != lost]
    with pytest.raises(ExceptionGroup) as caught:
        chat_load.measure(url, FIELDS, concurrency=1, num_requests=1, front_end_pid=os.getpid())
    assert message in str(caught.value.exceptions[0])


def test_cpu_time_is_the_processs_own(chat_load: ModuleType) -> None:
    before = chat_load.cpu_seconds(os.getpid())
    while chat_load.cpu_seconds(os.getpid()) < before + 0.03:
        sum(range(10_000))
    assert chat_load.cpu_seconds(os.getpid()) <= sum(os.times()[:2]) + 0.02
