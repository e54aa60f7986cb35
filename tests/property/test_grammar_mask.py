"""llguidance's mask of the grammar is the automaton's, token by token, and the end of the turn ends it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grammar_mask import Mask

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import MAX_PLACES, counts_in_grammar, enforced_policy
from steiner.reasoning.policy import Policy

POLICIES = [
    Policy(),
    Policy(max_steps=3, max_depth=2, max_backtracks=1, max_section_tokens=2),
    Policy(min_steps=4, max_steps=6, max_depth=3, max_backtracks=2, max_section_tokens=3),
    Policy(max_steps=5, max_backtracks=0, max_section_tokens=1),
    Policy(max_steps=8, max_backtracks=3, allow_change_of_mind=True, max_section_tokens=2),
    Policy(max_steps=30, max_depth=14, max_backtracks=4, max_section_tokens=1),
    Policy(min_steps=6, max_steps=1000, max_depth=12, max_backtracks=1000, max_section_tokens=2),
    Policy(max_steps=4, max_section_tokens=5, section_tokens={"summary": 1, "verification": 2}),
    Policy(max_reasoning_tokens=0),
    Policy(max_steps=1, max_depth=1, max_backtracks=0),
]
NUM_POSITIONS = 10_000
seeds = st.integers(0, 2**32 - 1)


def assert_same(mask: Mask, automaton: Automaton, states: list[State], token_ids: list[int]) -> None:
    bound = automaton.bound
    nothing = np.zeros_like(mask.flags())
    any_text = nothing.copy()
    any_text[: bound.vocab_size] = True
    any_text[sorted(bound.special_ids)] = False
    for state, token_id in zip(states, token_ids, strict=True):
        allowed = automaton.allowed(state)
        expected = (any_text if allowed.text else nothing).copy()
        expected[sorted(allowed.ids)] = True
        assert np.array_equal(mask.flags(), expected), state
        assert mask.accept(token_id), state
        assert mask.has_ended == (token_id == bound.end_of_turn_id)


def drawn_policy(rng: random.Random) -> Policy:
    max_steps = rng.randint(1, 12)
    return Policy(
        min_steps=rng.randint(1, max_steps),
        max_steps=max_steps,
        max_depth=rng.randint(1, 8),
        max_backtracks=rng.randint(0, 6),
        max_section_tokens=rng.randint(1, 4),
        section_tokens={role: rng.randint(1, 3) for role in ("next_step", "summary") if rng.random() < 0.3},
        allow_change_of_mind=rng.random() < 0.5,
    )


def test_the_mask_is_the_automatons_at_ten_thousand_places(bytewise: Any, walker: Any) -> None:
    """On random walks under random policies, rows of padding included."""
    rng = random.Random(bytewise.bound.protocol.name)
    num_positions = num_policies = 0
    while num_positions < NUM_POSITIONS:
        policy = drawn_policy(rng)
        num_policies += 1
        automaton = Automaton(bytewise.bound, enforced_policy(policy))
        grammar = compile_grammar(bytewise.bound, policy)
        for _ in range(8):
            walk = walker(automaton, rng.randrange(2**32)).walk()
            assert_same(
                Mask(bytewise.tokenizer, grammar, bytewise.bound.vocab_size + 7),
                automaton,
                walk.states,
                walk.token_ids,
            )
            num_positions += len(walk.token_ids)
    assert num_policies >= 10


@settings(max_examples=6)
@given(seed=seeds)
@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_the_mask_is_the_automatons(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    automaton = Automaton(spoken.bound, enforced_policy(policy))
    walk = walker(automaton, seed).walk()
    mask = Mask(spoken.tokenizer, compile_grammar(spoken.bound, policy), spoken.bound.vocab_size + 7)
    assert_same(mask, automaton, walk.states, walk.token_ids)


@settings(max_examples=4)
@given(seed=seeds)
@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_a_resumed_grammar_goes_on_where_the_walk_stood(
    policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    automaton = Automaton(spoken.bound, enforced_policy(policy))
    walk = walker(automaton, seed).walk()
    # From any place but behind the answer's end, where nothing is left to continue.
    for position in random.Random(seed).choices(range(len(walk.token_ids)), k=4):
        grammar = compile_grammar(spoken.bound, policy, walk.states[position])
        mask = Mask(spoken.tokenizer, grammar, spoken.bound.vocab_size)
        assert_same(mask, automaton, walk.states[position:], walk.token_ids[position:])


@settings(max_examples=8)
@given(seed=seeds)
@pytest.mark.parametrize("policy", POLICIES[1:4], ids=range(1, 4))
def test_a_resumed_closing_leads_to_the_answer(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    automaton = Automaton(spoken.bound, enforced_policy(policy))
    way = walker(automaton, seed)
    states = way.walk().states
    for state in random.Random(seed).choices(states, k=3):
        for token_id in automaton.closing(state)[:1]:
            begun = automaton.advance(state, token_id, closing=True)
            rest = way.walk(begun)
            mask = Mask(
                spoken.tokenizer, compile_grammar(spoken.bound, policy, begun), spoken.bound.vocab_size
            )
            assert_same(mask, automaton, rest.states, rest.token_ids)


def test_a_long_search_goes_as_deep_as_two_digits(digits: Any, walker: Any) -> None:
    policy = Policy(max_steps=300, max_depth=64, max_backtracks=300, max_section_tokens=1)
    automaton = Automaton(digits.bound, enforced_policy(policy))
    way = walker(automaton, 5)
    state, states, token_ids = automaton.initial, [], []
    for token_id in deep_search(automaton, way.text_ids[0], num_steps=40):
        states.append(state)
        token_ids.append(token_id)
        state = automaton.advance(state, token_id)
    assert max(len(state.spelled) for state in states) == 2
    mask = Mask(digits.tokenizer, compile_grammar(digits.bound, policy), digits.bound.vocab_size)
    assert_same(mask, automaton, states, token_ids)


def deep_search(automaton: Automaton, text_id: int, num_steps: int) -> Iterator[int]:
    """Proceed all the way down, go back to depth 12, proceed once, end, answer."""
    bound: Any = automaton.bound

    def step(verdict_id: int) -> Iterator[int]:
        yield bound.step_start_id
        for section in bound.sections:
            yield from (section.start_id, text_id)
            if section.role == "verification":
                yield verdict_id
            yield section.end_id
        yield bound.step_end_id

    assert bound.verified_id is not None
    assert bound.refuted_id is not None
    yield bound.reasoning_start_id
    for _ in range(num_steps - 1):
        yield from (*step(bound.verified_id), bound.proceed_id)
    yield from (*step(bound.refuted_id), bound.backtrack_id, *bound.depth_ids[12])
    yield from (*step(bound.verified_id), bound.reasoning_end_id, text_id, bound.end_of_turn_id)


@pytest.mark.parametrize("policy", [Policy(), Policy.for_effort("low")], ids=["medium", "low"])
def test_the_mask_at_the_size_of_qwens_vocabulary(policy: Policy, at_qwens_size: Any, walker: Any) -> None:
    bound = at_qwens_size.bound
    automaton = Automaton(bound, enforced_policy(policy))
    walk = walker(automaton, 3).walk()
    mask = Mask(at_qwens_size.tokenizer, compile_grammar(bound, policy), 151_680)
    # Fifteen rows stand behind the vocabulary; none of them may ever be sampled.
    assert_same(mask, automaton, walk.states[:120], walk.token_ids[:120])


@pytest.mark.parametrize(
    ("policy", "counted"),
    [
        (Policy.for_effort("minimal"), (True, True)),
        (Policy(max_steps=5, max_depth=4, max_backtracks=2), (True, True)),
        (Policy(max_steps=7, max_backtracks=4), (True, False)),
        (Policy(max_steps=7, max_backtracks=0), (True, True)),
        (Policy.for_effort("low"), (False, False)),
        (Policy(), (False, False)),
        (Policy(max_steps=1000, max_depth=6, max_backtracks=4), (False, True)),
        (Policy.for_effort("high"), (False, False)),
    ],
)
def test_what_is_counted_takes_few_places(policy: Policy, counted: tuple[bool, bool], words: Any) -> None:
    assert (counts_in_grammar(policy).steps, counts_in_grammar(policy).backtracks) == counted
    assert compile_grammar(words.bound, policy).count("\nstep_") <= MAX_PLACES
