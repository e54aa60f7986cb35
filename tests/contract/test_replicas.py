"""Several servers that share one Redis: any of them resumes and ends what another one runs; and Redis may go away."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from steiner.server.access.keys import hash_key

from .step_stream import BODY, begin, events_of, id_of, last_id, resume

KEYS = [{"name": name, "sha256": hash_key(name)} for name in ("alice", "bob")]


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def errors_of(served: Any, operation: str) -> float:
    name = "steiner_store_errors_total"
    return served.service.registry.get_sample_value(name, {"operation": operation}) or 0.0


def test_a_stream_of_one_is_followed_and_ended_at_another(stage: Any, serve: Any, redis_server: Any) -> None:
    shared = {"store": "redis", "redis_url": redis_server.url, "api_keys": KEYS}
    one = serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True), **shared)
    two = serve(stage.engine(stage.one_step), **shared)
    alice, bob = bearer("alice"), bearer("bob")
    seen = begin(one.url, 20, headers=alice)
    name = id_of(seen)
    address = f"{two.url}/v1/reasoning/{name}"
    streams: dict[str, bytes] = {}

    def follow(url: str) -> None:
        # What this reader has seen the other replica may not have heard of yet.
        streams[url] = resume(url, name, last_id(seen), alice).content

    readers = [threading.Thread(target=follow, args=[served.url]) for served in (one, two)]
    for reader in readers:
        reader.start()
    for method, path in (("GET", address), ("GET", f"{address}/events"), ("DELETE", address)):
        assert httpx.request(method, path, headers=bob).status_code == 404
    assert httpx.delete(address, headers=alice, timeout=30).status_code == 204
    for reader in readers:
        reader.join(timeout=30)
    assert streams[one.url] == streams[two.url]
    assert [event["type"] for event in events_of(streams[two.url])][-2:] == ["usage", "cancelled"]
    assert len(one.engine.aborted) == 1
    whole = resume(one.url, name, "0", alice).content
    assert whole == seen + streams[one.url] == resume(two.url, name, "0", alice).content
    assert len(httpx.get(address, headers=alice).json()["steps"]) == 1
    assert httpx.delete(address, headers=alice).status_code == 204
    for served in (one, two):
        assert httpx.get(f"{served.url}/v1/reasoning/{name}", headers=alice).status_code == 404


def test_an_id_that_was_told_is_known_at_another_at_once(stage: Any, serve: Any, redis_server: Any) -> None:
    shared = {"store": "redis", "redis_url": redis_server.url}
    one, two = (serve(stage.engine(stage.one_step), **shared) for _ in range(2))
    for _ in range(20):
        name = id_of(begin(one.url, 1))
        assert httpx.get(f"{two.url}/v1/reasoning/{name}").status_code == 200


def test_streams_outlive_the_store(stage: Any, serve: Any, redis_server: Any, eventually: Any) -> None:
    shared = {"store": "redis", "redis_url": redis_server.url}
    held = stage.with_backtrack.removesuffix("<eot>")
    served = serve(stage.engine(held, holds=True), **shared)
    early = begin(served.url, 30)
    eventually(lambda: served.service.generations.running[0].buffer.num_bytes == 0)
    assert httpx.get(f"{served.url}/ready").json() == {"status": "ready", "store": "working"}
    redis_server.stop()
    eventually(lambda: errors_of(served, "beat") > 0, timeout_s=30)
    for probe in ("health", "ready"):
        answer = httpx.get(f"{served.url}/{probe}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "store": "failing"})

    # What has to be read from the store is refused for now; what runs goes on, and new ones, too.
    refused = resume(served.url, "rsn_of_another_day")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert errors_of(served, "get") > 0
    late = begin(served.url, 30)
    eventually(lambda: errors_of(served, "put") > 0, timeout_s=30)
    running = {generation.id: generation for generation in served.service.generations.running}
    assert set(running) == {id_of(early), id_of(late)}
    assert httpx.get(f"{served.url}/v1/reasoning/{id_of(early)}").status_code == 200
    assert httpx.delete(f"{served.url}/v1/reasoning/{id_of(late)}").status_code == 204
    kept = resume(served.url, id_of(late)).content
    assert kept.startswith(late)
    assert events_of(kept)[-1]["type"] == "cancelled"

    # It comes back empty: what was only there is lost, and said to be; what was in memory is saved.
    redis_server.start()
    other = serve(stage.engine(stage.one_step), **shared)
    eventually(lambda: resume(other.url, id_of(late)).status_code == 200, timeout_s=30)
    assert resume(other.url, id_of(late)).content == kept
    eventually(lambda: httpx.get(f"{served.url}/ready").json()["store"] == "working")
    assert httpx.delete(f"{served.url}/v1/reasoning/{id_of(early)}").status_code == 204
    eventually(lambda: httpx.get(f"{other.url}/v1/reasoning/{id_of(early)}").status_code == 200, timeout_s=30)
    gone = resume(other.url, id_of(early), "3")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "events_gone")
    assert len(httpx.get(f"{other.url}/v1/reasoning/{id_of(early)}").json()["steps"]) == 3
    assert httpx.post(f"{other.url}/v1/reasoning", json=BODY).status_code == 200


def test_a_server_that_drains_lets_those_finish_who_read_anothers_stream(
    stage: Any, serve: Any, redis_server: Any, eventually: Any
) -> None:
    shared = {"store": "redis", "redis_url": redis_server.url}
    one = serve(stage.engine(f"<start>{stage.step()}<proceed>", holds=True), **shared)
    two = serve(stage.engine(stage.one_step), **shared)
    seen = begin(one.url, 20)
    name = id_of(seen)
    begun = threading.Event()
    rest: list[bytes] = []

    def follow() -> None:
        with httpx.stream("GET", f"{two.url}/v1/reasoning/{name}/events", timeout=30) as answer:
            for piece in answer.iter_bytes():
                rest.append(piece)
                begun.set()

    reader = threading.Thread(target=follow)
    reader.start()
    assert begun.wait(30)

    def drain(timeout_s: float) -> Any:
        return asyncio.run_coroutine_threadsafe(two.service.generations.drain(timeout_s), two.loop)

    # Its time is up while the stream goes on: nothing of its own was cut.
    assert drain(0.2).result(30) == 0
    draining = drain(60)
    with pytest.raises(TimeoutError):
        draining.result(0.5)
    assert httpx.delete(f"{one.url}/v1/reasoning/{name}", timeout=30).status_code == 204
    assert draining.result(30) == 0
    reader.join(timeout=30)
    assert [event["type"] for event in events_of(b"".join(rest))][-2:] == ["usage", "cancelled"]
