"""Which server is asked, and what is said while it is not ready."""

import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from steiner.cli import asked_server as module
from steiner.cli.asked_server import NoServerError, asked_server


@contextmanager
def answering(*phases: str) -> Iterator[str]:
    """A server whose probe tells these phases, one a time, the last for good."""
    left = list(phases)

    class Probe(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            phase = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(200 if phase == "ready" else 503)
            self.end_headers()
            self.wfile.write(json.dumps({"status": phase}).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Probe) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()
        thread.join()


@pytest.fixture
def said() -> tuple[Console, Callable[[], str]]:
    file = io.StringIO()
    return Console(file=file, width=200), file.getvalue


def test_a_server_that_loads_is_waited_for_by_name(
    said: tuple[Console, Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.0)
    console, text = said
    with answering("loading", "loading", "loading", "ready") as url:
        with asked_server(url + "/", console) as address:
            assert address == url
        assert text() == f"waiting: the server at {url} loads its model\n"


def test_a_server_that_is_ready_is_asked_at_once(said: tuple[Console, Callable[[], str]]) -> None:
    console, text = said
    with answering("ready") as url, asked_server(url, console) as address:
        assert (address, text()) == (url, "")


def test_without_an_address_the_one_of_this_machine_is_asked(
    said: tuple[Console, Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering("ready") as url:
        monkeypatch.setattr(module, "DEFAULT_URL", url)
        with asked_server(None, said[0]) as address:
            assert address == url


def test_where_there_is_none_and_none_can_be_started_it_says_what_to_do(
    said: tuple[Console, Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEFAULT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(NoServerError, match="--url"), asked_server(None, said[0]):
        pass
