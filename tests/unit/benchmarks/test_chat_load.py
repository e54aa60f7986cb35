"""The load generator of the serving benchmark and what it makes of a run, against a scripted server."""

import http.server
import importlib
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
    """benchmarks/ holds scripts beside each other and no package: imported as they import each other."""
    known = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("chat_load")
    sys.path.remove(str(FOLDER))
    for name in {"chat_load", "processes"} - known:
        del sys.modules[name]


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
        if len(self.bodies) > 1:
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
    # The barrier of two lets nobody through but the first, unmeasured one, unless two requests are open at a time.
    run = chat_load.measure(chat_load.Job(url, FIELDS, 2, 6, os.getpid()))
    assert run.tokens_per_request == 5
    assert run.tokens_per_s > 0
    assert 0 < run.ttft_p50_s <= run.ttft_p99_s < 20
    assert run.load_us_per_token > 0
    assert len(handler.bodies) == 1 + 6
    assert all(body["stream_options"] == {"include_usage": True} for body in handler.bodies)
    prompts = [body["messages"] for body in handler.bodies]
    assert len({json.dumps(prompt) for prompt in prompts[1:]}) == 6


@pytest.mark.parametrize(("lost", "message"), [(1, "No text in the stream"), (2, "No usage at the end")])
def test_an_incomplete_stream_is_no_measurement(
    chat_load: ModuleType, server: tuple[str, type[Chat]], lost: int, message: str
) -> None:
    url, handler = server
    handler.together = threading.Barrier(1)
    handler.chunks = [chunk for index, chunk in enumerate(Chat.chunks) if index != lost]
    with pytest.raises(chat_load.LoadError, match=message):
        chat_load.measure(chat_load.Job(url, FIELDS, 1, 1, os.getpid()))


def test_figures_are_over_all_streams(chat_load: ModuleType) -> None:
    replies = [
        chat_load.Reply(num_tokens=30, ttft_s=0.1, gaps_s=[0.01] * 98),
        chat_load.Reply(num_tokens=10, ttft_s=0.3, gaps_s=[0.5, 0.6]),
    ]
    run = chat_load.summary(replies, wall_s=2.0, cpu_s=0.004, load_s=0.002)
    assert run.tokens_per_s == 20
    assert run.tokens_per_request == 20
    assert (run.ttft_p50_s, run.ttft_p99_s) == (0.1, 0.3)
    assert (run.itl_p50_s, run.itl_p99_s) == (0.01, 0.5)
    assert run.cpu_us_per_token == pytest.approx(100)
    assert run.load_us_per_token == pytest.approx(50)


def test_percentiles_are_values_that_occurred(chat_load: ModuleType) -> None:
    assert chat_load.percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert chat_load.percentile([1.0, 2.0], 99) == 2.0
    assert chat_load.percentile([7.0], 1) == 7.0
    assert chat_load.percentile([], 50) == 0.0


def test_cpu_time_is_the_processs_own(chat_load: ModuleType) -> None:
    before = chat_load.cpu_seconds(os.getpid())
    while chat_load.cpu_seconds(os.getpid()) < before + 0.03:
        sum(range(10_000))
    assert chat_load.cpu_seconds(os.getpid()) <= sum(os.times()[:2]) + 0.02
