"""The grammar behind a cut is the automaton's without its limits on steps and backtracks, wherever a cut leads.

Of the limit on backtracks only that none is left stays.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grammar_mask import Mask

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.grammar import compile_continuation
from steiner.reasoning.grammar.grammar import UNCOUNTED
from steiner.reasoning.policy import Policy

policies = st.builds(
    Policy,
    min_steps=st.integers(1, 4),
    max_steps=st.sampled_from([4, 9, 40]),
    max_depth=st.one_of(st.integers(1, 6), st.just(64)),
    max_backtracks=st.integers(0, 6),
    max_section_tokens=st.integers(1, 3),
    allow_change_of_mind=st.booleans(),
)
MOST_POSITIONS = 200


def left_by_cuts(automaton: Automaton, states: list[State]) -> list[State]:
    """Behind a forced verdict of either kind, a step's start, a forced backtrack, and the end of reasoning."""
    bound, found = automaton.bound, [State("answer")]
    for state in states:
        if state.phase == "verdict":
            found += [replace(state, verdict=verdict, num_text=0) for verdict in ("verified", "refuted")]
        elif state.phase == "section" and state.section == 0:
            found.append(state)
        elif state.phase == "decision" and not bound.protocol.has_verdicts:
            found += [
                automaton.advance(state, bound.backtrack_id)
                for one in automaton.allowed(state).ids
                if one == bound.backtrack_id and bound.backtrack_id is not None
            ]
    return found


@settings(max_examples=25)
@given(policy=policies, seed=st.integers(0, 2**32 - 1))
def test_the_mask_behind_a_cut_is_the_automatons_without_counts(
    policy: Policy, seed: int, stepwise: Any, walker: Any
) -> None:
    bound = stepwise.bound
    rng = random.Random(seed)
    walked = walker(Automaton(bound, policy), seed).walk().states
    for start in rng.choices(left_by_cuts(Automaton(bound, policy), walked), k=3):
        is_used_up = start.num_backtracks >= policy.max_backtracks
        lifted = {"max_steps": UNCOUNTED, "max_backtracks": start.num_backtracks if is_used_up else UNCOUNTED}
        automaton = Automaton(bound, policy.model_copy(update=lifted))
        walk = walker(automaton, rng.randrange(2**32)).walk(start)
        mask = Mask(stepwise.tokenizer, compile_continuation(bound, policy, start), bound.vocab_size + 7)
        any_text = np.zeros_like(mask.flags())
        any_text[: bound.vocab_size] = True
        any_text[sorted(bound.special_ids)] = False
        positions = list(zip(walk.states, walk.token_ids, strict=True))[:MOST_POSITIONS]
        for state, token_id in positions:
            allowed = automaton.allowed(state)
            expected = any_text.copy() if allowed.text else np.zeros_like(any_text)
            expected[sorted(allowed.ids)] = True
            assert np.array_equal(mask.flags(), expected), state
            assert mask.accept(token_id), state
