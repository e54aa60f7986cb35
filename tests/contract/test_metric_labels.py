"""Metrics: the agreed names are there, and no request can make a label that was not foreseen."""

import json
import random
import re
from typing import Any, get_args

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from steiner.server.errors import REASONS
from steiner.server.generations.readable import Endpoint

USER = {"role": "user", "content": "make 22 from 15 4 11"}
NAMES = """reasoning_steps_total backtracks_total interventions_total violations_total reasoning_tokens_total
answer_tokens_total generations_total generations_active generations_queued time_to_first_step_seconds
time_to_first_answer_token_seconds step_duration_seconds generation_duration_seconds requests_refused_total
queue_wait_seconds"""
ALLOWED = {
    "verdict": {"verified", "refuted", "none"},
    "kind": {"budget", "verifier", "loop", "memory", "answer"},
    "origin": {"sampled", "forced", "marker", "copy"},
    "endpoint": set(get_args(Endpoint)),
    "outcome": {"done", "error", "cancelled"},
    "reason": set(REASONS),
}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(
        stage.engine(stage.with_backtrack), api_key=["a"], requests_per_minute=60, tokens_per_minute=900
    )


def bad_request(draw: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    text = "".join(draw.choices('ab"\\\n{}=,<|é\x01', k=draw.randint(1, 12)))
    body: dict[str, Any] = {
        "messages": [USER],
        draw.choice(["model", "user", "n", "temperature", text]): text,
    }
    content = draw.choice(
        [json.dumps(body).encode(), text.encode(), b"", json.dumps({"messages": text}).encode()]
    )
    path = draw.choice(
        ["/v1/chat/completions", "/v1/reasoning", "/v1/reasoning/" + text.encode().hex(), "/nothing"]
    )
    headers = {"Content-Type": draw.choice(["application/json", "text/plain"])}
    if draw.random() < 0.8:
        headers["Authorization"] = "Bearer " + draw.choice(["a", "a", "a", "wrong"])
    return draw.choice(["GET", "POST", "PUT", "DELETE"]), path, headers, content


def test_labels_are_a_fixed_set_whatever_is_asked(served: Any) -> None:
    draw = random.Random(7)
    with httpx.Client(base_url=served.url) as client:
        for _ in range(150):
            method, path, headers, content = bad_request(draw)
            answer = client.request(method, path, headers=headers, content=content)
            assert answer.status_code < 500, answer.text
        good = {"Authorization": "Bearer a"}
        client.post("/v1/reasoning", json={"messages": [USER]}, headers=good)
        page = client.get("/metrics").text
    seen = set()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if not sample.name.startswith("steiner_"):
                continue
            seen.add(sample.name)
            for label, value in sample.labels.items():
                if label in ALLOWED:
                    assert value in ALLOWED[label], sample
                else:
                    assert label in ("le", "operation"), sample
    found = {name for name in NAMES.split() if any(each.startswith(f"steiner_{name}") for each in seen)}
    # Those with labels have no series before their first count.
    assert found >= set(NAMES.split()) - {"interventions_total"}


def test_waits_are_told_from_the_arrival_with_the_queue(stage: Any, serve: Any, eventually: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    answer = httpx.post(f"{served.url}/v1/chat/completions", json={"messages": [USER]})
    assert answer.status_code == 200
    page = httpx.get(f"{served.url}/metrics").text
    assert "steiner_queue_wait_seconds_count 1.0" in page
    assert "steiner_time_to_first_step_seconds_count 1.0" in page
    assert 'steiner_generation_duration_seconds_bucket{le="3600.0"} 1.0' in page
    usage = answer.json()["usage"]
    counted = {
        sample.labels.get("origin", "answer"): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name in ("steiner_reasoning_tokens_total", "steiner_answer_tokens_total")
    }
    details = usage["completion_tokens_details"]
    assert counted["sampled"] + counted["forced"] == details["reasoning_tokens"]
    assert counted["answer"] <= usage["completion_tokens"] - details["reasoning_tokens"]


COUNTS = {
    "steps": 7,
    "tokens": 12,
    "drafted_markers": 4,
    "drafted_copies": 6,
    "accepted_markers": 3,
    "accepted_copies": 2,
}


def drafts_on(page: str) -> dict[tuple[str, str | None], float]:
    """What a page says of speculation, by series and origin."""
    return {
        (sample.name.removeprefix("steiner_"), sample.labels.get("origin")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if re.search("_(drafted|accepted|decode|decoded)_", sample.name)
    }


def test_speculation_is_told_as_the_engine_counts_it(stage: Any, serve: Any) -> None:
    engine = stage.engine(stage.with_backtrack)
    engine.counted_drafts = COUNTS
    served = serve(engine)
    assert drafts_on(httpx.get(f"{served.url}/metrics").text) == {
        ("drafted_tokens_total", "marker"): 4,
        ("drafted_tokens_total", "copy"): 6,
        ("accepted_tokens_total", "marker"): 3,
        ("accepted_tokens_total", "copy"): 2,
        ("decode_steps_total", None): 7,
        ("decoded_tokens_total", None): 12,
    }
    engine.counted_drafts = COUNTS | {"steps": 9}
    assert drafts_on(httpx.get(f"{served.url}/metrics").text)["decode_steps_total", None] == 9


def test_an_engine_without_drafts_has_no_series_of_them(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    page = httpx.get(f"{served.url}/metrics").text
    assert not drafts_on(page)
    assert "# TYPE steiner_drafted_tokens_total counter" in page
