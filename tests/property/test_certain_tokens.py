"""What is called certain is the only token that the automaton allows, wherever a walk comes by its mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.grammar.certain_tokens import FAR, VERDICTS, Mark, marks_of
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import MAX_DEPTH, BoundProtocol

from .conftest import Spoken, Walk

FREE = Policy(max_steps=FAR, max_depth=MAX_DEPTH, max_backtracks=FAR)
_marks: dict[int, tuple[BoundProtocol, tuple[Mark, ...]]] = {}


def marks_for(bound: BoundProtocol) -> tuple[Mark, ...]:
    """They do not change from example to example."""
    return _marks.setdefault(id(bound), (bound, marks_of(bound)))[1]


def ended_marks(walk: Walk, marks: tuple[Mark, ...]) -> list[tuple[int, Mark]]:
    """Where each mark of a walk ends, the longest where several do."""
    found = []
    for end in range(1, len(walk.token_ids) + 1):
        here = [
            mark for mark in marks if tuple(walk.token_ids[max(0, end - len(mark.ids)) : end]) == mark.ids
        ]
        if here:
            found.append((end, max(here, key=lambda mark: len(mark.ids))))
    return found


@given(seed=st.integers(0, 10**6))
def test_no_other_token_is_legal(spoken: Spoken, walker: Callable[[Automaton, int], Any], seed: int) -> None:
    automaton = Automaton(spoken.bound, FREE)
    walk = walker(automaton, seed).walk()
    states = [*walk.states, None]
    for end, mark in ended_marks(walk, marks_for(spoken.bound)):
        state = states[end]
        if state is None:
            continue
        if mark.verdict is not None:
            assert VERDICTS[mark.verdict] == state.verdict
        for token_id in mark.certain[VERDICTS.index(state.verdict)]:
            allowed = automaton.allowed(state)
            assert set(allowed.ids) == {token_id}
            assert not allowed.text
            state = automaton.advance(state, token_id)


@given(seed=st.integers(0, 10**6))
def test_a_mark_says_what_is_open_behind_it(
    spoken: Spoken, walker: Callable[[Automaton, int], Any], seed: int
) -> None:
    walk = walker(Automaton(spoken.bound, FREE), seed).walk()
    states = [*walk.states, None]
    for end, mark in ended_marks(walk, marks_for(spoken.bound)):
        state = states[end]
        if state is not None:
            assert mark.place == (state.section + 1 if state.phase == "text" else 0)


def test_what_stands_between_sections_is_certain(digits: Spoken) -> None:
    """So a drafter that knows the protocol has something to draft."""
    bound = digits.bound
    first, second = bound.sections[:2]
    [mark] = [mark for mark in marks_for(bound) if mark.ids == (first.end_id,)]
    assert set(mark.certain) >= {(second.start_id,)}
    [mark] = [mark for mark in marks_for(bound) if mark.ids == (bound.step_end_id,)]
    assert mark.certain[VERDICTS.index("refuted")] == (bound.backtrack_id,)
    assert mark.certain[VERDICTS.index("verified")] == ()


def test_a_protocol_of_one_step_has_none(thinking: Spoken) -> None:
    assert not any(any(mark.certain) for mark in marks_for(thinking.bound))
