"""Problems to evaluate on: held out by identity, all different, the same for a seed, judged exactly."""

import random

import pytest

from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import held_out_problems, is_held_out


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("solvable", [True, False])
def test_they_are_held_out_different_and_judged(name: str, solvable: bool) -> None:
    family = FAMILIES[name]
    problems = held_out_problems(name, (3, 4), 20, seed=1, solvable=solvable)
    assert len({problem.prompt for problem in problems}) == 20
    assert [problem.size for problem in problems] == [3, 4] * 10
    for held_out in problems:
        assert is_held_out(family.canonical(family.parse(held_out.prompt)))
        assert held_out.accepts(" not found\n") == (not solvable)
        if solvable:
            assert held_out.accepts(family.direct_answer(held_out.problem, random.Random(0)))
        assert not held_out.accepts("")


@pytest.mark.parametrize("name", list(FAMILIES))
def test_arguments_decide_which_they_are(name: str) -> None:
    first = held_out_problems(name, (3,), 10, seed=1)
    assert held_out_problems(name, (3,), 15, seed=1)[:10] == first
    assert held_out_problems(name, (3,), 10, seed=2) != first
