"""Grammars are written once a policy: a second request with an equal one finds the text."""

from typing import Any

import pytest

from steiner.reasoning.automaton import State
from steiner.reasoning.grammar import compile_continuation, compile_grammar
from steiner.reasoning.policy import Policy

LIMITS: dict[str, Any] = {"max_steps": 7, "section_tokens": {"summary": 9, "next_step": 8}}


@pytest.mark.parametrize(
    "again",
    [
        LIMITS,
        {"section_tokens": {"next_step": 8, "summary": 9}, "max_steps": 7},
        # Not the grammar's to keep.
        {**LIMITS, "max_reasoning_tokens": 500},
        {**LIMITS, "refute_repeats": False},
    ],
    ids=["same", "other order", "budget", "repeats"],
)
def test_a_second_request_with_an_equal_policy_writes_nothing(again: dict[str, Any], bound: Any) -> None:
    assert compile_grammar(bound, Policy(**again)) is compile_grammar(bound, Policy(**LIMITS))


@pytest.mark.parametrize(
    ("limits", "start"),
    [
        (LIMITS | {"max_steps": 6}, None),
        (LIMITS | {"max_section_tokens": 100}, None),
        (LIMITS, State("decision", section=3, num_steps=2, verdict="verified")),
    ],
)
def test_another_policy_or_start_has_a_text_of_its_own(
    limits: dict[str, Any], start: State | None, bound: Any
) -> None:
    assert compile_grammar(bound, Policy(**limits), start) != compile_grammar(bound, Policy(**LIMITS))


def test_cuts_at_one_place_share_a_text_whatever_was_counted(bound: Any) -> None:
    first, later = (
        State("decision", section=3, depth=2, num_steps=steps, num_backtracks=backtracks, verdict="verified")
        for steps, backtracks in ((2, 0), (5, 2))
    )
    policy = Policy(**LIMITS)
    assert compile_continuation(bound, policy, first) is compile_continuation(bound, policy, later)
