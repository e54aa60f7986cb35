"""deploy/nginx/steiner.conf in a real nginx: streams pass event by event, and go on after a break."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.cli.local_server import LocalServer, free_port
from steiner.client.event_stream import EventStreamDecoder, Message
from steiner.reasoning.events import EVENT_ADAPTER

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "steiner.conf"
FRAME = Path(__file__).resolve().parents[2] / "benchmarks" / "nginx.conf"
LOCATIONS = SHIPPED.with_name("steiner-locations.conf")
BODY = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True), keep_alive_s=0)


@pytest.fixture(scope="module")
def front(
    served: Any, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of an nginx with the shipped file, in which only the two ports are others."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    shipped = SHIPPED.read_text()
    for theirs, ours in (
        ("server 127.0.0.1:8000;", f"server {served.url.removeprefix('http://')};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ):
        assert shipped.count(theirs) == 1
        shipped = shipped.replace(theirs, ours)
    (folder / "site.conf").write_text(shipped)
    shutil.copy(LOCATIONS, folder)
    shutil.copy(FRAME, folder)
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert tested.returncode == 0, tested.stderr
    with LocalServer(command, port) as running:
        running.wait_until_ready()
        yield running.url


def read_until(answer: httpx.Response, event: str) -> list[Message]:
    decoder, seen = EventStreamDecoder(), []
    for chunk in answer.iter_bytes():
        seen += decoder.feed(chunk)
        if seen and seen[-1].event == event:
            return seen
    pytest.fail(f"the stream ended without {event}")


def id_of(messages: list[Message]) -> str:
    started = EVENT_ADAPTER.validate_json(messages[0].data)
    assert started.type == "reasoning.started"
    return started.id


def test_events_are_not_kept_back_and_a_stream_is_resumed(front: str) -> None:
    # The engine holds behind the step, so nothing that comes later can push these events out.
    with httpx.stream("POST", f"{front}/v1/reasoning", json=BODY, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = read_until(answer, "step.done")
    url = f"{front}/v1/reasoning/{id_of(seen)}"
    headers = {"Last-Event-ID": seen[3].last_event_id}
    with httpx.stream("GET", f"{url}/events", headers=headers, timeout=20) as answer:
        again = read_until(answer, "step.done")
    assert again == seen[4:]
    assert httpx.delete(url).status_code == 204
    headers = {"Last-Event-ID": seen[-1].last_event_id}
    rest = EventStreamDecoder().feed(httpx.get(f"{url}/events", headers=headers, timeout=20).content)
    assert [message.event for message in rest] == ["usage", "cancelled"]
    assert httpx.get(f"{url}/events", headers={"Last-Event-ID": rest[-1].last_event_id}).status_code == 204


def test_chunks_are_not_kept_back_and_leaving_ends_the_generation(
    served: Any, front: str, eventually: Any
) -> None:
    num_aborted = len(served.engine.aborted)
    with httpx.stream(
        "POST", f"{front}/v1/chat/completions", json=BODY | {"stream": True}, timeout=20
    ) as answer:
        decoder = EventStreamDecoder()
        for chunk in answer.iter_bytes():
            if any('"step.done"' in message.data for message in decoder.feed(chunk)):
                break
    eventually(lambda: len(served.engine.aborted) == num_aborted + 1, 10)


def test_errors_and_limits_are_the_servers_own(served: Any, front: str) -> None:
    refused = httpx.post(f"{front}/v1/reasoning", json={"messages": []})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")
    # nginx and the server agree on the longest body.
    assert served.service.settings.max_request_bytes == 4 << 20
    assert "client_max_body_size 4m;" in LOCATIONS.read_text()
    assert httpx.get(f"{front}/docs").status_code == 200
    assert httpx.get(f"{front}/metrics").status_code == 403
