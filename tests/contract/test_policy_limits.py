"""Limits of reasoning over HTTP: each one is taken and told, or refused with its name and the reason."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from steiner.reasoning.options import ReasoningOptions

MESSAGES = [{"role": "user", "content": "make 22 from 15 4 11"}]
ROUTES = ["/v1/chat/completions", "/v1/reasoning"]

# A value that is not the default.
TAKEN: dict[str, Any] = {
    "min_steps": 2,
    "max_steps": 7,
    "max_depth": 3,
    "max_backtracks": 5,
    "max_reasoning_tokens": 90,
    "max_section_tokens": 40,
    "section_tokens": {"summary": 9},
    "allow_change_of_mind": True,
    "backtrack_bias": 2.5,
    "end_bias": -1.5,
    "verifier": "auto",
    "refute_repeats": False,
    "memory": True,
    "constrained": False,
}

# The reasoning asked for, the field named, words of the message.
REFUSED: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    ({"min_steps": 0}, "min_steps", ("1", "given 0")),
    ({"min_steps": 33}, "min_steps", ("32", "given 33")),
    ({"min_steps": "a few"}, "min_steps", ("integer", "'a few'")),
    ({"max_steps": 0}, "max_steps", ("at least 1", "max_reasoning_tokens")),
    ({"max_steps": 2.5}, "max_steps", ("integer", "2.5")),
    ({"max_depth": 0}, "max_depth", ("1", "given 0")),
    ({"max_depth": 65}, "max_depth", ("64", "given 65")),
    ({"max_backtracks": -1}, "max_backtracks", ("0", "given -1")),
    ({"max_reasoning_tokens": -1}, "max_reasoning_tokens", ("0", "given -1")),
    ({"max_reasoning_tokens": 14}, "max_reasoning_tokens", ("(14)", "15 tokens", "raise it")),
    ({"max_section_tokens": 0}, "max_section_tokens", ("1", "given 0")),
    ({"section_tokens": {"summary": 0}}, "section_tokens.summary", ("at least 1", "given 0")),
    ({"section_tokens": {"poem": 3}}, "section_tokens.poem", ("'understanding'",)),
    ({"section_tokens": {"thought": 3}}, "section_tokens.thought", ("no effect", "no such section")),
    ({"section_tokens": 3}, "section_tokens", ("dictionary",)),
    ({"allow_change_of_mind": "perhaps"}, "allow_change_of_mind", ("boolean", "'perhaps'")),
    ({"backtrack_bias": 100.5}, "backtrack_bias", ("100", "given 100.5")),
    ({"backtrack_bias": "much"}, "backtrack_bias", ("number", "'much'")),
    ({"end_bias": -101}, "end_bias", ("-100", "given -101")),
    ({"verifier": "oracle"}, "verifier", ("'oracle'", "arithmetic")),
    ({"refute_repeats": 7}, "refute_repeats", ("boolean",)),
    ({"memory": []}, "memory", ("boolean",)),
    ({"constrained": "no way"}, "constrained", ("boolean",)),
    ({"max_setps": 3}, "max_setps", ("unknown field", "'max_steps'")),
    # What each field allows and all of them together do not.
    ({"min_steps": 9, "max_steps": 2}, "min_steps", ("(9)", "max_steps (2)")),
    ({"min_steps": 5, "max_depth": 2, "max_backtracks": 1}, "min_steps", ("(5)", "room for 4")),
    ({"min_steps": 3, "max_reasoning_tokens": 40}, "max_reasoning_tokens", ("(40)", "min_steps (3)", "47")),
    ({"max_reasoning_tokens": 0, "max_depth": 3}, "max_depth", ("no effect", "budget")),
    ({"constrained": False, "max_steps": 3}, "max_steps", ("no effect", "constrained")),
    ({"constrained": False, "section_tokens": {"summary": 3}}, "section_tokens", ("no effect",)),
]


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step))


def test_every_limit_has_a_case() -> None:
    fields = set(ReasoningOptions.model_fields)
    assert set(TAKEN) == fields
    assert {field.partition(".")[0] for _, field, _ in REFUSED} >= fields


@pytest.mark.parametrize("field", TAKEN)
def test_a_limit_of_a_request_is_its_policys(served: Any, field: str) -> None:
    body = {"messages": MESSAGES, "reasoning": {field: TAKEN[field]}}
    answer = httpx.post(f"{served.url}/v1/reasoning", json=body)
    assert answer.status_code == 200, answer.text
    started = json.loads(next(line for line in answer.text.splitlines() if line.startswith("data: "))[6:])
    default = httpx.post(f"{served.url}/v1/reasoning", json={"messages": MESSAGES})
    usual = json.loads(next(line for line in default.text.splitlines() if line.startswith("data: "))[6:])
    assert started["policy"][field] == TAKEN[field] != usual["policy"][field]
    assert started["policy"] == usual["policy"] | {field: TAKEN[field]}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("field", "marker"), [("backtrack_bias", "backtrack"), ("end_bias", "end")])
def test_a_bias_reaches_the_engine_for_this_request_alone(
    served: Any, stage: Any, route: str, field: str, marker: str
) -> None:
    [token_id] = stage.ids_of(f"<{marker}>")
    for reasoning, biases in [({field: TAKEN[field]}, {token_id: TAKEN[field]}), ({}, {})]:
        body = {"messages": MESSAGES, "reasoning": reasoning}
        assert httpx.post(served.url + route, json=body).status_code == 200
        assert served.engine.requests[-1].logit_bias == biases


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("reasoning", "field", "words"), REFUSED, ids=lambda value: json.dumps(value)[:40])
def test_a_limit_that_cannot_be_kept_is_refused_by_name(
    served: Any, route: str, reasoning: dict[str, Any], field: str, words: tuple[str, ...]
) -> None:
    num_before = len(served.engine.requests)
    answer = httpx.post(served.url + route, json={"messages": MESSAGES, "reasoning": reasoning})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == f"reasoning.{field}"
    assert error["type"] == "invalid_request_error"
    assert field.rpartition(".")[2] in error["message"]
    for word in words:
        assert word in error["message"]
    assert len(served.engine.requests) == num_before


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"300": 2.0}}, "logit_bias"),
        ({"logit_bias": {"300": 0.0}}, "logit_bias"),
        ({"min_p": 0.1}, "min_p"),
        ({"reasoning": {"backtrack_bias": 1.0}}, "reasoning.backtrack_bias"),
        ({"reasoning": {"end_bias": -1.0}}, "reasoning.end_bias"),
    ],
    ids=json.dumps,
)
def test_what_the_engine_cannot_apply_is_refused_before_it_begins(
    stage: Any, serve: Any, route: str, fields: dict[str, Any], param: str
) -> None:
    engine = stage.engine(stage.one_step)
    engine.bias_refusal = "serve with --speculation protocol or off"
    served = serve(engine)
    answer = httpx.post(served.url + route, json={"messages": MESSAGES} | fields)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, "invalid_value")
    assert "--speculation protocol or off" in error["message"]
    assert not engine.requests
    plain = {"logit_bias": {}, "min_p": 0.0, "reasoning": {"end_bias": 0.0}}
    assert httpx.post(served.url + route, json={"messages": MESSAGES} | plain).status_code == 200
