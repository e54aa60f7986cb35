"""Progress agrees with the automaton on legal sequences, whatever they are."""

import random
from typing import Any

import pytest

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.policy import Policy
from steiner.reasoning.progress import Progress


@pytest.mark.parametrize("seed", range(40))
def test_progress_agrees_with_the_automaton_on_random_walks(stage: Any, seed: int) -> None:
    draw = random.Random(seed)
    bound = stage.bound
    policy = Policy(
        min_steps=draw.randint(1, 4),
        max_steps=draw.randint(4, 20),
        max_depth=draw.randint(1, 12),
        max_backtracks=draw.randint(0, 10),
        max_section_tokens=draw.randint(1, 4),
        allow_change_of_mind=draw.random() < 0.5,
    )
    automaton = Automaton(bound, policy)
    progress, state = Progress(bound), automaton.initial
    words = [token_id for token_id in range(300, 340) if token_id not in bound.special_ids]
    while state.phase not in ("answer", "done"):
        allowed = automaton.allowed(state)
        choices = sorted(allowed.ids) + ([draw.choice(words)] if allowed.text else [])
        token_id = draw.choice(choices)
        if progress.phase == "reasoning" and token_id != bound.reasoning_end_id:
            num_closing = progress.num_closing_after(token_id)
            assert num_closing == len(automaton.closing(automaton.advance(state, token_id)))
        state = automaton.advance(state, token_id)
        progress.take(token_id)
        assert progress.closing == automaton.closing(state)
        if state.phase == "decision":
            assert automaton.allowed(progress.decision_state) == automaton.allowed(state)
            assert automaton.limit_reached(progress.decision_state) == automaton.limit_reached(state)
    assert progress.phase == "answer"
