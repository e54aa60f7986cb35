"""The folded context of a walk is what its tree says: the live path whole, and one folded step for each place left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.policy import Policy

POLICIES = [
    Policy(max_steps=40, max_backtracks=30, max_section_tokens=2),
    Policy(min_steps=32, max_steps=60, max_depth=40, max_backtracks=3, max_section_tokens=1),
]


def expected_context(bound: Any, token_ids: list[int]) -> list[int]:
    """Whole steps as tokens, with what came of each; rebuilt from the finished sequence alone."""
    live: list[list[int]] = []
    folds: dict[int, list[int]] = {}
    begun = token_ids.index(bound.step_start_id)
    chunks: list[list[int]] = []
    for token_id in token_ids[begun:]:
        if token_id == bound.step_start_id:
            chunks.append([])
        chunks[-1].append(token_id)
    for number, chunk in enumerate(chunks):
        live.append(chunk)
        is_last = number == len(chunks) - 1
        if bound.backtrack_id in chunk and not is_last:
            at = chunk.index(bound.backtrack_id)
            depth = bound.depth_ids.index(tuple(chunk[at + 1 :]))
            del live[depth:]
            summary = next(section for section in bound.sections if section.role == "summary")
            start, end = chunk.index(summary.start_id), chunk.index(summary.end_id)
            folds = {place: fold for place, fold in folds.items() if place < depth}
            folds[depth] = [bound.step_start_id, *chunk[start : end + 1], bound.step_end_id, *chunk[at:]]
    context = token_ids[:begun] + folds.get(0, [])
    for depth, step in enumerate(live, 1):
        context += step + folds.get(depth, [])
    return context


@given(policy=st.sampled_from(POLICIES), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("spelling", ["words", "digits"])
def test_the_context_is_what_the_tree_says(
    spelling: str, policy: Policy, seed: int, walker: Any, request: pytest.FixtureRequest
) -> None:
    bound = request.getfixturevalue(spelling).bound
    token_ids = walker(Automaton(bound, policy), seed).walk().token_ids
    context = FoldingContext(bound)
    for token_id in token_ids:
        if token_id == bound.step_start_id and context.abandoned_to is not None:
            context.fold()
        context.take((token_id,))
    assert context.token_ids == expected_context(bound, token_ids)
