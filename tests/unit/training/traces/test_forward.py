"""Straight ways: legal, verified, to a goal, in the words of a search."""

import random

import pytest

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.traces.forward import sample_forward


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_step_leads_towards_a_goal(name: str) -> None:
    family = FAMILIES[name]
    for seed in range(30):
        rng = random.Random(seed)
        problem = family.generate(rng, 4)
        dag = build_dag(family, problem)
        trace = sample_forward(family, problem, dag, rng)
        state = family.root(problem)
        for step in trace.steps:
            move = family.read_move(problem, state, step.sections.next_step)
            assert move is not None
            state = family.apply(problem, state, move)
            node = dag.nodes[step.node]
            assert (node.state, node.is_alive, step.verdict) == (state, True, "verified")
            assert step.sections.understanding
            assert step.sections.verification
        assert [step.decision for step in trace.steps] == ["proceed"] * (len(trace.steps) - 1) + ["end"]
        assert family.check(problem, trace.answer)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_where_nothing_leads_to_a_goal_it_says_so_at_once(name: str) -> None:
    family, rng = FAMILIES[name], random.Random(1)
    problem = family.generate(rng, 3, solvable=False)
    trace = sample_forward(family, problem, build_dag(family, problem), rng)
    assert (len(trace.steps), trace.steps[0].sections.next_step, trace.answer) == (1, "none", NOT_FOUND)
