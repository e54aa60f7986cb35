"""What holds at every place of every walk through the automaton."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.errors import IllegalTokenError, PolicyError
from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Opening


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    max_steps = draw(st.integers(1, 12))
    return Policy(
        min_steps=draw(st.integers(1, max_steps)),
        max_steps=max_steps,
        max_depth=draw(st.integers(1, 12)),
        max_backtracks=draw(st.integers(0, 6)),
        max_section_tokens=draw(st.integers(1, 4)),
        section_tokens=draw(
            st.dictionaries(st.sampled_from(["next_step", "summary", "thought"]), st.integers(1, 3))
        ),
        allow_change_of_mind=draw(st.booleans()),
        max_reasoning_tokens=draw(st.sampled_from([None, None, None, None, 0])),
    )


seeds = st.integers(0, 2**32 - 1)


@given(policy=policies(), seed=seeds)
def test_every_limit_holds_on_every_walk(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    automaton = Automaton(spoken.bound, policy)
    walk = walker(automaton, seed).walk()
    if policy.max_reasoning_tokens == 0:
        assert not walk.steps
        assert walk.token_ids[:2] == [spoken.bound.reasoning_start_id, spoken.bound.reasoning_end_id]
        return
    backtracks = [step for step in walk.steps if step.decision not in ("proceed", "end")]
    assert 1 <= len(walk.steps) <= policy.max_steps
    assert len(backtracks) <= policy.max_backtracks
    assert max(step.depth or 1 for step in walk.steps) <= policy.max_depth
    for step in walk.steps:
        for section, text in zip(spoken.bound.sections, step.texts, strict=True):
            assert text
            if spoken.bound.protocol.has_limited_sections:
                assert len(text) <= policy.section_limit(section.role)
        if step.verdict == "refuted":
            assert step.decision != "proceed"
            used_up = len(walk.steps) == policy.max_steps or len(backtracks) == policy.max_backtracks
            assert isinstance(step.decision, int) or used_up
        if isinstance(step.decision, int) and step.depth is not None:
            assert 0 <= step.decision < step.depth
            assert step.verdict == "refuted" or policy.allow_change_of_mind
    if len(walk.steps) < policy.min_steps and spoken.bound.protocol.has_decisions:
        before_the_end = walk.states[walk.token_ids.index(spoken.bound.reasoning_end_id)]
        assert automaton.limit_reached(before_the_end) is not None


@pytest.mark.parametrize("max_depth", [1, 2, 4])
@pytest.mark.parametrize("max_backtracks", [0, 1, 2])
@pytest.mark.parametrize("min_steps", [1, 2, 3, 5])
def test_a_minimum_and_a_budget_are_refused_exactly_where_no_walk_keeps_them(
    min_steps: int, max_backtracks: int, max_depth: int, stepwise: Any
) -> None:
    bound = stepwise.bound
    limits = {"min_steps": min_steps, "max_depth": max_depth}
    if bound.backtrack_id is not None:
        limits["max_backtracks"] = max_backtracks
    policy = Policy(max_section_tokens=1, **limits)
    shortest = shortest_reasoning(Automaton(bound, policy), min_steps, text_id=0)
    if shortest is None:
        with pytest.raises(PolicyError, match="min_steps"):
            ReasoningOptions(**limits).resolve(None, Policy(), bound.protocol)
        return
    kept = ReasoningOptions(max_reasoning_tokens=shortest, **limits).resolve(None, Policy(), bound.protocol)
    assert kept.max_reasoning_tokens == shortest
    with pytest.raises(PolicyError, match=f"{shortest} tokens"):
        ReasoningOptions(max_reasoning_tokens=shortest - 1, **limits).resolve(None, Policy(), bound.protocol)


def shortest_reasoning(automaton: Automaton, num_steps: int, text_id: int) -> int | None:
    """Tokens of the shortest walk of so many steps, between the start and the end of reasoning; None without any."""
    layer, length = {automaton.initial}, 0
    while layer:
        if any(state.phase == "answer" and state.num_steps >= num_steps for state in layer):
            return length - 2
        layer = {
            automaton.advance(state, token_id)
            for state in layer
            if state.phase != "answer"
            for allowed in [automaton.allowed(state)]
            for token_id in (*allowed.ids, *([text_id] if allowed.text else []))
        }
        layer = {state for state in layer if state.num_steps <= num_steps}
        length += 1
    return None


@given(policy=policies(), seed=seeds)
def test_a_verdict_is_never_masked(policy: Policy, seed: int, words: Any, walker: Any) -> None:
    automaton = Automaton(words.bound, policy)
    verdicts = {words.bound.verified_id, words.bound.refuted_id}
    for state in walker(automaton, seed).walk().states:
        assert len(automaton.allowed(state).ids & verdicts) in (0, 2)


@given(policy=policies(), seed=seeds)
def test_a_limit_is_named_where_it_leaves_one_decision(
    policy: Policy, seed: int, stepwise: Any, walker: Any
) -> None:
    automaton = Automaton(stepwise.bound, policy)
    for state in walker(automaton, seed).walk().states:
        if state.phase != "decision":
            continue
        is_forced = automaton.allowed(state).ids == {stepwise.bound.reasoning_end_id}
        assert (automaton.limit_reached(state) is not None) == is_forced


@given(policy=policies(), seed=seeds)
def test_even_the_slowest_search_ends(policy: Policy, seed: int, stepwise: Any, walker: Any) -> None:
    automaton = Automaton(stepwise.bound, policy)
    slow = walker(automaton, seed)
    slow.choose = lambda state: slowest(automaton, state, slow.text_ids[0])
    walk = slow.walk(most=2 + policy.max_steps * (14 + 4 * policy.max_section_tokens + 12))
    if policy.max_reasoning_tokens != 0:
        is_free_to_turn = stepwise.bound.verified_id is None or walk.steps[-1].verdict == "verified"
        assert len(walk.steps) == policy.max_steps or is_free_to_turn


def slowest(automaton: Automaton, state: State, text_id: int) -> int:
    """Text as long as there is room, and anything rather than the end of reasoning."""
    allowed = automaton.allowed(state)
    if allowed.text and state.phase != "answer":
        return text_id
    if not allowed.ids:
        return text_id
    return min(allowed.ids, key=lambda i: (i == automaton.bound.reasoning_end_id, i))


@given(policy=policies(), seed=seeds)
def test_closing_is_the_shortest_way_out_of_reasoning(
    policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    automaton = Automaton(spoken.bound, policy)
    way = walker(automaton, seed)
    for state in way.walk().states:
        closing = automaton.closing(state)
        assert len(closing) <= 3
        assert len(closing) == distance_to_the_answer(automaton, state, way.text_ids[0])
        after = automaton.close(state)
        assert (after.phase, after.closing) == ("answer", False)
        assert automaton.accepts(automaton.advance(after, way.text_ids[0]))


def distance_to_the_answer(automaton: Automaton, start: State, text_id: int) -> int:
    """Breadth first over everything that sampling or the server may append."""
    layer, distance = {start}, 0
    while not any(state.phase in ("answer", "done") for state in layer):
        layer = {after for state in layer for after in neighbours(automaton, state, text_id)}
        distance += 1
    return distance


def neighbours(automaton: Automaton, state: State, text_id: int) -> Iterator[State]:
    allowed = automaton.allowed(state)
    for token_id in (*allowed.ids, *([text_id] if allowed.text else [])):
        yield automaton.advance(state, token_id)
    for token_id in automaton.closing(state)[:1]:
        yield automaton.advance(state, token_id, closing=True)


@given(policy=policies(), seed=seeds)
def test_sampling_cannot_close(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    automaton = Automaton(spoken.bound, policy)
    for state in walker(automaton, seed).walk().states:
        allowed = automaton.allowed(state)
        for token_id in automaton.closing(state)[:1]:
            if token_id not in allowed.ids:
                with pytest.raises(IllegalTokenError):
                    automaton.advance(state, token_id)
            begun = automaton.advance(state, token_id, closing=True)
            if begun.closing:
                assert automaton.allowed(begun).ids == set(automaton.closing(begun)[:1])
                assert not automaton.allowed(begun).text


@given(policy=policies(), seed=seeds)
def test_what_is_not_allowed_is_refused(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    automaton = Automaton(spoken.bound, policy)
    some = [*spoken.bound.special_ids, 0, 1, 2, spoken.bound.vocab_size, -1]
    for state in walker(automaton, seed).walk().states:
        allowed = automaton.allowed(state)
        for token_id in some:
            is_legal = token_id in allowed.ids or (allowed.text and automaton.is_text(token_id))
            if is_legal:
                assert automaton.advance(state, token_id) != state
            else:
                with pytest.raises(IllegalTokenError):
                    automaton.advance(state, token_id)


@given(opening=st.sampled_from(["before", "reasoning", "answer"]), policy=policies(), seed=seeds)
def test_a_completion_may_begin_anywhere(
    opening: Opening, policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    """What the prompt has opened is as if it had been walked."""
    automaton = Automaton(spoken.bound, policy)
    written = {"before": (), "reasoning": (spoken.bound.reasoning_start_id,)}.get(opening)
    if written is None:
        assert automaton.opened(opening).phase == "answer"
        assert automaton.closing(automaton.opened(opening)) == ()
    else:
        walk = walker(automaton, seed).walk()
        assert automaton.opened(opening) == walk.states[len(written)]
    assert walker(automaton, seed).walk(automaton.opened(opening)).token_ids


def test_a_thought_ends_at_no_limit_of_its_own(thinking: Any) -> None:
    """Only the model ends it, or the budget that the conductor keeps."""
    automaton = Automaton(thinking.bound, Policy(max_section_tokens=1, section_tokens={"thought": 1}))
    state = automaton.advance(automaton.initial, thinking.bound.reasoning_start_id)
    assert not automaton.allowed(state).ids
    for _ in range(100):
        state = automaton.advance(state, 0)
        assert (automaton.allowed(state).text, automaton.text_room(state)) == (True, None)
        assert automaton.allowed(state).ids == {thinking.bound.reasoning_end_id}
