"""Responses outlive their server: what the next one says of them, from the file, is what the first one said."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

ASK: dict[str, Any] = {"model": "tiny", "input": "make 22 from 15 4 11"}
TOLD: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}

Restart = Callable[[], str]


@pytest.fixture
def restart(stage: Any, serve: Any, tmp_path: Path) -> Restart:
    """Starts a server, in place of the one before; gives its url."""
    running: list[Any] = []

    def start() -> str:
        while running:
            running.pop().stop()
        ids = stage.ids_of(stage.with_backtrack)
        told = [TokenLogprobs(-0.25, ((one, -0.25),)) for one in ids]
        engine = ScriptedEngine([Script(ids, 3, logprobs=told, num_cached_tokens=8)])
        running.append(serve(engine, store="sqlite", store_path=tmp_path / "generations.sqlite3"))
        url: str = running[0].url
        return url

    return start


def blocks_of(text: str) -> list[str]:
    return text.split("\n\n")[:-1]


@pytest.mark.parametrize("background", [False, True])
def test_a_response_is_read_and_resumed_after_a_restart(restart: Restart, background: bool) -> None:
    url = restart()
    body = ASK | TOLD | {"stream": True, "background": background}
    sent = httpx.post(f"{url}/v1/responses", json=body).text
    response_id = sent.split('"id":"')[1].split('"')[0]
    read = httpx.get(f"{url}/v1/responses/{response_id}").json()
    url = restart()
    address = f"{url}/v1/responses/{response_id}"
    again = httpx.get(address, params={"include[]": TOLD["include"][0]}).json()
    assert again == read
    assert again["status"] == "completed"
    assert again["output"][-1]["content"][0]["logprobs"][0]["logprob"] == -0.25
    for after in (0, 17, len(blocks_of(sent)) - 1):
        resumed = httpx.get(address, params={"stream": "true", "starting_after": after})
        assert blocks_of(resumed.text) == blocks_of(sent)[after + 1 :]
    items = httpx.get(f"{address}/input_items").json()["data"]
    assert [item["content"][0]["text"] for item in items] == [ASK["input"]]
    body = {"input": "make 4", "previous_response_id": response_id}
    assert httpx.post(f"{url}/v1/responses", json=body).json()["status"] == "completed"
    assert httpx.delete(address).json()["deleted"]
    assert httpx.get(f"{restart()}/v1/responses/{response_id}").status_code == 404


def test_when_it_was_completed_is_told_the_same_by_everyone(restart: Restart) -> None:
    url = restart()
    began = int(time.time())
    response = httpx.post(f"{url}/v1/responses", json=ASK).json()
    assert began <= response["created_at"] <= response["completed_at"] <= time.time()
    cut = httpx.post(f"{url}/v1/responses", json=ASK | {"max_output_tokens": 9}).json()
    assert (cut["status"], cut["completed_at"]) == ("incomplete", None)
    stream = blocks_of(httpx.post(f"{url}/v1/responses", json=ASK | {"stream": True}).text)
    assert '"completed_at":null' in stream[0]
    assert '"completed_at":null' not in stream[-1]
    url = restart()
    assert httpx.get(f"{url}/v1/responses/{response['id']}").json() == response
    assert httpx.get(f"{url}/v1/responses/{cut['id']}").json() == cut


def test_tokens_from_the_prefix_cache_are_told(restart: Restart) -> None:
    url = restart()
    usage = httpx.post(f"{url}/v1/responses", json=ASK).json()["usage"]
    assert usage["input_tokens_details"] == {"cached_tokens": 8, "cache_write_tokens": 0}
    body = {"messages": [{"role": "user", "content": ASK["input"]}], "n": 2}
    usage = httpx.post(f"{url}/v1/chat/completions", json=body).json()["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 8}
    body |= {"n": 1, "stream": True, "stream_options": {"include_usage": True}}
    streamed = httpx.post(f"{url}/v1/chat/completions", json=body).text
    assert '"prompt_tokens_details": {"cached_tokens": 8}' in streamed
