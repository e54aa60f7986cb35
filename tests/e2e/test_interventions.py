"""Interventions on a real engine: cuts of every kind, biases, and answers held to a schema."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.official_client import official_client

from steiner.client.event_stream import EventStreamDecoder
from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.steps import Backtrack
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import find_verifier

pytestmark = pytest.mark.e2e

PROBLEM = [{"role": "user", "content": "make 22 from 15 4 11"}]
TIMEOUT_S = 180
SCHEMA = {
    "type": "object",
    "properties": {"value": {"type": "integer", "minimum": 0, "maximum": 99}, "found": {"type": "boolean"}},
    "required": ["value", "found"],
    "additionalProperties": False,
}


def reason(server: Any, **fields: Any) -> tuple[list[Event], Trace]:
    body = {"messages": PROBLEM, "seed": 5, "temperature": 1.0, "max_completion_tokens": 600} | fields
    answer = httpx.post(f"{server.url}/v1/reasoning", json=body, timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    events = [EVENT_ADAPTER.validate_json(m.data) for m in EventStreamDecoder().feed(answer.content)]
    assert events[0].type == "reasoning.started"
    assert events[-1].type == "done", f"{events[-1]}\n{server.tail()}"
    trace = Trace.model_validate(httpx.get(f"{server.url}/v1/reasoning/{events[0].id}").json())
    assert not [event for event in events if event.type == "violation"]
    assert list(trace.interventions) == [event for event in events if event.type == "intervention"]
    return events, trace


def counted(server: Any, kind: str) -> float:
    page = httpx.get(f"{server.url}/metrics").text
    label = f'steiner_interventions_total{{kind="{kind}"}}'
    return float(next((line.split()[-1] for line in page.splitlines() if line.startswith(label)), 0))


@pytest.mark.parametrize("budget", [None, 40, 0])
def test_the_answer_alone_is_held_to_a_schema(server: Any, budget: int | None) -> None:
    client = official_client(server, timeout=TIMEOUT_S)
    request: dict[str, Any] = {
        "model": server.model,
        "messages": PROBLEM,
        "temperature": 0,
        "max_completion_tokens": 700,
        "response_format": {"type": "json_schema", "json_schema": {"name": "result", "schema": SCHEMA}},
        "extra_body": {"reasoning": {"max_reasoning_tokens": budget, "max_section_tokens": None}},
    }
    if budget is None:
        request["extra_body"]["reasoning"] = {"max_steps": 4, "max_section_tokens": 20}
    whole = client.chat.completions.create(**request)
    said = json.loads(whole.choices[0].message.content or "")
    assert set(said) == {"value", "found"}
    assert isinstance(said["found"], bool)
    assert 0 <= said["value"] <= 99
    assert whole.choices[0].finish_reason == "stop"
    steps = whole.choices[0].message.model_extra["reasoning_steps"]
    assert bool(steps) == (budget != 0)
    chunks = client.chat.completions.create(**request, stream=True)
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    )


def test_any_json_object(server: Any) -> None:
    before = counted(server, "answer")
    _, trace = reason(
        server,
        response_format={"type": "json_object"},
        reasoning={"max_reasoning_tokens": 15},
        max_completion_tokens=1500,
    )
    assert trace.answer.startswith("{")
    if trace.finish_reason == "stop":
        assert isinstance(json.loads(trace.answer), dict)
    assert counted(server, "answer") == before + 1


def test_a_schema_that_cannot_be_enforced_is_refused_before_anything_is_reasoned(server: Any) -> None:
    schema = {"type": "object", "properties": {"all": {"type": "array", "uniqueItems": True}}}
    body = {
        "messages": PROBLEM,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=TIMEOUT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "response_format.json_schema.schema"


def test_no_verdict_contradicts_the_verifier(server: Any) -> None:
    """Five numbers, and sampled hot: more than the trained model was taught, so it miscalculates, too."""
    problem = "make 87 from 15 4 11 9 3"
    messages = [{"role": "user", "content": problem}]
    before = counted(server, "verifier")
    verifier = find_verifier("countdown")
    limits = {"verifier": "countdown", "max_section_tokens": 16, "refute_repeats": False}
    num_forced = 0
    for seed in range(4):
        _, trace = reason(server, messages=messages, seed=seed, temperature=1.7, reasoning=limits)
        for index, step in enumerate(trace.steps):
            if step.verdict is None:
                continue
            earlier = trace.model_copy(update={"steps": trace.steps[:index]})
            judgement = verifier.verify(problem, earlier, step)
            assert judgement is None or judgement.verdict == step.verdict
            assert not step.verdict_forced or judgement is not None
        cuts = [cut.step for cut in trace.interventions if cut.kind == "verifier"]
        assert cuts == [step.id for step in trace.steps if step.verdict_forced]
        num_forced += len(cuts)
    assert counted(server, "verifier") == before + num_forced
    # What random weights write is no move that could be judged.
    assert bool(num_forced) == (server.model == "steiner-tiny")


def test_a_verifier_that_agrees_changes_nothing(server: Any) -> None:
    _, with_verifier = reason(server, temperature=0, reasoning={"verifier": "countdown"})
    _, without = reason(server, temperature=0)
    assert [cut.kind for cut in with_verifier.interventions if cut.kind == "verifier"] == []
    assert with_verifier.answer == without.answer
    assert [step.sections for step in with_verifier.steps] == [step.sections for step in without.steps]


def test_a_model_that_loops_is_held_back(server: Any) -> None:
    """Badly sampled: few tokens to choose from, few in a section. The same seeds without it show the loops."""
    # With one, trained weights end at once; with three, noise says too many things to repeat itself soon.
    few = 3 if server.model == "steiner-tiny" else 1
    loops = {"max_section_tokens": few, "max_steps": 60, "max_backtracks": 60}
    num_equal = {True: 0, False: 0}
    num_forced = 0
    for seed in range(6):
        for on in num_equal:
            _, trace = reason(
                server, seed=seed, top_k=few + 1, temperature=2.0, reasoning=loops | {"refute_repeats": on}
            )
            told: set[tuple[int | None, str]] = set()
            for step in trace.steps:
                said = (step.parent, step.text_of("next_step").strip().casefold())
                if said in told and step.repeats is None and not step.interrupted and said[1]:
                    num_equal[on] += 1
                told.add(said)
                if step.repeats is not None and not step.interrupted:
                    assert step.verdict == "refuted"
                    assert not trace.children(step.id)
            num_forced += sum(cut.kind == "loop" for cut in trace.interventions)
    assert num_equal[True] == 0
    assert num_equal[False] > 0, "the model did not loop, so this showed nothing"
    assert num_forced > 0


def test_with_memory_a_search_outlives_the_context(server: Any) -> None:
    """Without memory it would be full after 2,048 tokens."""
    limits = {
        "max_section_tokens": 10,
        "max_steps": 4000,
        "max_backtracks": 4000,
        "memory": True,
        "refute_repeats": False,
        # It never has enough.
        "allow_change_of_mind": True,
        "backtrack_bias": 100,
    }
    events, trace = reason(server, max_completion_tokens=5000, reasoning=limits)
    usage = events[-2]
    assert usage.type == "usage"
    assert usage.completion_tokens == 5000
    cuts = [cut for cut in trace.interventions if cut.kind == "memory"]
    assert len(cuts) == trace.num_backtracks
    assert all(cut.num_forced_tokens == 0 for cut in cuts)
    assert max((cut.num_context_tokens for cut in cuts), default=0) < 400


def test_biases_change_what_is_decided(server: Any) -> None:
    free = {"allow_change_of_mind": True, "max_section_tokens": 3, "max_steps": 12, "refute_repeats": False}
    shares = {}
    for bias in (-100.0, 100.0):
        _, trace = reason(server, reasoning=free | {"backtrack_bias": bias, "min_steps": 12})
        verified = [step for step in trace.steps[:-1] if step.verdict == "verified"]
        shares[bias] = sum(isinstance(step.decision, Backtrack) for step in verified)
        assert shares[bias] == (len(verified) if bias > 0 else 0)
    _, ending = reason(server, reasoning=free | {"end_bias": 100.0})
    first = next(step for step in ending.steps if step.verdict == "verified")
    assert first is ending.steps[-1]
