"""What the conductor counts agrees with the automaton on every walk, in every protocol."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.policy import Policy
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import BoundProtocol, Opening

POLICIES = [
    Policy(max_section_tokens=2),
    Policy(min_steps=3, max_steps=9, max_depth=4, max_backtracks=3, max_section_tokens=1),
    Policy(max_steps=20, max_backtracks=12, allow_change_of_mind=True, max_section_tokens=2),
    Policy(max_reasoning_tokens=0),
]


def is_ahead_of_its_step(bound: BoundProtocol, state: State) -> bool:
    """Whether the automaton is in a step that no marker opens, and that only its text or section will."""
    begun = "text" if bound.sections[0].start_id is None else "section"
    return bound.step_start_id is None and (state.phase, state.section, state.num_text) == (begun, 0, 0)


@given(
    opening=st.sampled_from(["before", "reasoning"]),
    policy=st.sampled_from(POLICIES),
    seed=st.integers(0, 2**32 - 1),
)
def test_progress_agrees_with_the_automaton(
    opening: Opening, policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    bound = spoken.bound
    automaton = Automaton(bound, policy)
    state, progress = automaton.opened(opening), Progress(bound, opening)
    walk = walker(automaton, seed).walk(state)
    for state, token_id in zip(walk.states, walk.token_ids, strict=True):
        assert progress.closing == automaton.closing(state)
        assert progress.num_steps == state.num_steps - is_ahead_of_its_step(bound, state)
        assert progress.num_backtracks == state.num_backtracks
        if state.phase == "decision":
            assert automaton.allowed(progress.decision_state) == automaton.allowed(state)
            assert automaton.limit_reached(progress.decision_state) == automaton.limit_reached(state)
        if progress.phase == "reasoning" and token_id != bound.reasoning_end_id:
            after = automaton.closing(automaton.advance(state, token_id))
            assert progress.num_closing_after(token_id) == len(after)
        progress.take(token_id)
    assert progress.phase == "answer"
    in_reasoning = walk.token_ids[: walk.token_ids.index(bound.reasoning_end_id)]
    assert progress.num_reasoning == len(in_reasoning) - (opening == "before")
