"""The DAG of a problem against its definition, and against a search by brute force."""

import random
from functools import cache
from typing import Any

import pytest

from steiner.reasoning.tasks.countdown import CountdownProblem
from steiner.training.problems import FAMILIES
from steiner.training.problems import dag as dag_module
from steiner.training.problems.countdown import Countdown
from steiner.training.problems.dag import Dag, StateSpaceTooLargeError, build_dag
from steiner.training.problems.routes import Routes


def edges(dag: Dag) -> list[tuple[int, int]]:
    return [(begin, end) for begin, node in enumerate(dag.nodes) for _, end in node.successors]


def test_the_index_finds_every_state(examples: list[Any]) -> None:
    for example in examples:
        dag = example.dag
        assert dag.nodes[0].state == example.family.root(example.problem)
        assert len(dag.index) == len(dag.nodes)
        assert all(dag.index[node.state] == i for i, node in enumerate(dag.nodes))


def test_edges_are_the_legal_moves(examples: list[Any]) -> None:
    for example in examples:
        family, problem, dag = example.family, example.problem, example.dag
        for node in dag.nodes:
            assert [move for move, _ in node.successors] == list(family.moves(problem, node.state))
            for move, end in node.successors:
                assert dag.nodes[end].state == family.apply(problem, node.state, move)


def test_degrees_count_edges(examples: list[Any]) -> None:
    for example in examples:
        dag = example.dag
        all_edges = edges(dag)
        for i, node in enumerate(dag.nodes):
            assert node.num_incoming == sum(end == i for _, end in all_edges)
            assert len(node.successors) == sum(begin == i for begin, _ in all_edges)


def test_depth_is_the_shortest_way_from_the_question(examples: list[Any]) -> None:
    for example in examples:
        nodes = example.dag.nodes
        assert [i for i, node in enumerate(nodes) if node.depth == 0] == [0]
        for i, node in enumerate(nodes[1:], start=1):
            before = [nodes[begin].depth for begin, end in edges(example.dag) if end == i]
            assert node.depth == min(before) + 1


def test_distance_is_the_shortest_way_to_a_goal(examples: list[Any]) -> None:
    for example in examples:
        nodes = example.dag.nodes

        @cache
        def brute_force(index: int, nodes: Any = nodes) -> float:
            if nodes[index].is_goal:
                return 0
            return min((1 + brute_force(end) for _, end in nodes[index].successors), default=float("inf"))

        for i, node in enumerate(nodes):
            assert (float("inf") if node.distance is None else node.distance) == brute_force(i)
            assert node.is_alive == (node.distance is not None)
        assert nodes[0].is_alive == example.solvable


def test_there_are_no_circles(examples: list[Any]) -> None:
    for example in examples:
        nodes = example.dag.nodes
        finished: set[int] = set()
        for start in range(len(nodes)):
            path: list[int] = []
            stack = [(start, False)]
            while stack:
                here, leaving = stack.pop()
                if leaving:
                    finished.add(path.pop())
                elif here not in finished:
                    assert here not in path
                    path.append(here)
                    stack.append((here, True))
                    stack.extend((end, False) for _, end in nodes[here].successors)


def test_two_ways_to_the_same_numbers_meet_in_one_node() -> None:
    dag = build_dag(Countdown(), CountdownProblem((6, 2, 3), 36))
    # 6 * 2 and then 3; 6, 2 * 3 and so on: (12, 3) is made by 6 * 2 alone, (36,) by three pairs.
    goal = dag.nodes[dag.index[(36,)]]
    assert goal.is_goal
    assert goal.num_incoming == 3
    assert dag.nodes[dag.index[(12, 3)]].num_incoming == 1
    assert dag.nodes[0].distance == 2


def test_the_order_of_search_repeats_itself() -> None:
    for name, family in FAMILIES.items():
        problem = family.generate(random.Random(name), 3)
        assert build_dag(family, problem) == build_dag(family, problem)


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Routes().parse("roads Rome > Oslo, Oslo > Bern, Bern > Lima from Rome to Lima")
    monkeypatch.setattr(dag_module, "MAX_NODES", 4)
    assert len(build_dag(Routes(), problem).nodes) == 4
    monkeypatch.setattr(dag_module, "MAX_NODES", 3)
    with pytest.raises(StateSpaceTooLargeError, match="More than 3 states; generate a smaller problem"):
        build_dag(Routes(), problem)
