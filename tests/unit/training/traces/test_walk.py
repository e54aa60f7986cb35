"""A sampled search is an honest depth-first search through the DAG."""

import random
from typing import Any

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training.problems import FAMILIES
from steiner.training.problems.base import EXHAUSTED
from steiner.training.problems.dag import build_dag
from steiner.training.problems.routes import Routes
from steiner.training.traces.walk import sample_trace


def test_every_step_is_an_edge_from_where_the_search_stands(examples: list[Any]) -> None:
    for example in examples:
        nodes, path = example.dag.nodes, [0]
        for step in example.trace.steps:
            here = nodes[path[-1]]
            if step.sections.next_step == EXHAUSTED.next_step:
                assert step.node == path[-1]
                continue
            move = example.family.read_move(example.problem, here.state, step.sections.next_step)
            assert move is not None
            assert (move, step.node) in here.successors
            if isinstance(step.decision, int):
                assert 0 <= step.decision < len(path)
                del path[step.decision + 1 :]
            else:
                path.append(step.node)


def test_refuted_means_backtrack_and_nothing_else_does(examples: list[Any]) -> None:
    steps = [step for example in examples for step in example.trace.steps]
    assert any(isinstance(step.decision, int) for step in steps)
    for step in steps:
        assert (step.verdict == "refuted") == isinstance(step.decision, int)


def test_only_dead_states_are_refuted(examples: list[Any]) -> None:
    for example in examples:
        for step in example.trace.steps:
            if step.verdict == "refuted":
                assert not example.dag.nodes[step.node].is_alive


def test_the_last_step_ends_the_search_and_no_other_does(examples: list[Any]) -> None:
    for example in examples:
        *before, last = [step.decision for step in example.trace.steps]
        assert last == "end"
        assert "end" not in before


def test_a_search_ends_at_a_goal_or_with_everything_tried(examples: list[Any]) -> None:
    for example in examples:
        last = example.trace.steps[-1]
        if example.solvable:
            assert example.dag.nodes[last.node].is_goal
            assert example.family.check(example.problem, example.trace.answer)
        else:
            assert example.trace.answer == NOT_FOUND
            assert last.node == 0
            assert last.sections.next_step == EXHAUSTED.next_step
            assert last.sections.understanding
            first_moves = {end for _, end in example.dag.nodes[0].successors}
            assert first_moves <= {step.node for step in example.trace.steps}


def test_no_move_is_tried_twice_at_one_place(examples: list[Any]) -> None:
    for example in examples:
        tried, path = set(), [0]
        for step in example.trace.steps[: None if example.solvable else -1]:
            assert (path[-1], step.sections.next_step) not in tried
            tried.add((path[-1], step.sections.next_step))
            if isinstance(step.decision, int):
                del path[step.decision + 1 :]
            else:
                path.append(step.node)


def test_a_backtrack_leaves_every_place_where_nothing_is_left() -> None:
    family = Routes()
    problem = family.parse(
        "roads Rome > Oslo, Oslo > Bern, Bern > Lima, Rome > Doha, Doha > Riga from Rome to Riga"
    )
    dag = build_dag(family, problem)
    decisions = {
        tuple(step.decision for step in sample_trace(family, problem, dag, random.Random(seed)).steps)
        for seed in range(20)
    }
    # Straight to the goal, or down the long arm first and then back over all of it.
    assert decisions == {("proceed", "end"), ("proceed", "proceed", 0, "proceed", "end")}


def test_a_place_refuted_before_is_seen_at_once() -> None:
    family = Routes()
    problem = family.parse(
        "roads Rome > Oslo, Rome > Bern, Oslo > Lima, Bern > Lima, Lima > Doha, Rome > Riga from Rome to Riga"
    )
    dag = build_dag(family, problem)
    verifications = {
        step.sections.verification
        for seed in range(40)
        for step in sample_trace(family, problem, dag, random.Random(seed)).steps
    }
    assert "to Riga at Lima seen" in verifications
    assert "to Riga at Lima Doha" in verifications


def test_the_same_stream_gives_the_same_search_and_others_differ() -> None:
    for name, family in FAMILIES.items():
        problem = family.generate(random.Random(name), 4)
        dag = build_dag(family, problem)
        searches = [sample_trace(family, problem, dag, random.Random(seed)) for seed in range(12)]
        again = [sample_trace(family, problem, dag, random.Random(seed)) for seed in range(12)]
        assert searches == again
        assert len(set(searches)) > 1


def test_backtracks_are_counted(examples: list[Any]) -> None:
    for example in examples:
        refuted = [step for step in example.trace.steps if step.verdict == "refuted"]
        assert example.trace.num_backtracks == len(refuted)
    assert {example.trace.num_backtracks > 0 for example in examples} == {True, False}
