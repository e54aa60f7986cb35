"""curl, as docs/clients.md has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from steiner.client.event_stream import EventStreamDecoder, Message
from steiner.reasoning.events import EVENT_ADAPTER

from .documented import blocks, for_server


def messages_of(path: Path) -> list[Message]:
    return EventStreamDecoder().feed(path.read_bytes())


def test_a_stream_is_shown_as_it_comes_and_goes_on_where_it_was_left(
    stage: Any, serve: Any, eventually: Any, program: Callable[[str], str], tmp_path: Path
) -> None:
    program("curl")
    served = serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True))
    first, resumed = tmp_path / "first", tmp_path / "resumed"
    start, resume = (for_server(block, served.url, "tiny") for block in blocks("curl", "bash"))
    with first.open("wb") as sink:
        curl = subprocess.Popen(["bash", "-c", f"exec {start}"], stdout=sink, stderr=subprocess.DEVNULL)
        # The engine holds behind the step: what is in the file by then was not kept back.
        eventually(lambda: messages_of(first)[-1:] and messages_of(first)[-1].event == "step.done", 20)
        curl.terminate()
        curl.wait(timeout=10)
    seen = messages_of(first)
    started = EVENT_ADAPTER.validate_json(seen[0].data)
    assert started.type == "reasoning.started"
    assert httpx.delete(f"{served.url}/v1/reasoning/{started.id}").status_code == 204
    left_at = seen[4].last_event_id
    with resumed.open("wb") as sink:
        subprocess.run(
            ["bash", "-c", resume],
            env=os.environ | {"ID": started.id, "LAST": left_at},
            stdout=sink,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=True,
        )
    rest = messages_of(resumed)
    assert seen[5:] == rest[: len(seen) - 5]
    assert [message.event for message in rest[-2:]] == ["usage", "cancelled"]
