"""Exact search: the whole state space of a problem as a DAG."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.base import Move, Problem, State
from steiner.training.problems.base import Family

MAX_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Node:
    """One state.

    Attributes:
        state: identity of the situation, whatever way led to it.
        successors: (move, index of the node it leads to), in canonical order; as many as e_o of the reward.
        num_incoming: edges that enter, e_i of the reward.
        depth: moves from the question, d_s (breadth-first).
        distance: moves to the nearest goal, d_e; None in a dead branch.
        is_goal: whether the problem is solved here.
    """

    state: Hashable
    successors: tuple[tuple[Any, int], ...]
    num_incoming: int
    depth: int
    distance: int | None
    is_goal: bool

    @property
    def is_alive(self) -> bool:
        """Whether a goal can still be reached."""
        return self.distance is not None


@dataclass(frozen=True, slots=True)
class Dag:
    """Node 0 is the question; edges lead from smaller to larger depth or stay within the search order."""

    nodes: tuple[Node, ...]
    index: dict[Hashable, int]


class StateSpaceTooLargeError(SteinerError):
    """The problem has more states than an exact search should hold."""


def build_dag(family: Family[Problem, State, Move], problem: Problem) -> Dag:
    """Enumerate every state that legal moves reach.

    Raises:
        StateSpaceTooLargeError: more than `MAX_NODES` states.
    """
    root = family.root(problem)
    index: dict[Hashable, int] = {root: 0}
    states: list[State] = [root]
    depths = [0]
    edges: list[tuple[tuple[Any, int], ...]] = []
    queue = deque([0])
    while queue:
        here = queue.popleft()
        leaving = []
        for move in family.moves(problem, states[here]):
            result = family.apply(problem, states[here], move)
            if result not in index:
                if len(states) == MAX_NODES:
                    raise StateSpaceTooLargeError(
                        f"More than {MAX_NODES} states; generate a smaller problem."
                    )
                index[result] = len(states)
                states.append(result)
                depths.append(depths[here] + 1)
                queue.append(index[result])
            leaving.append((move, index[result]))
        edges.append(tuple(leaving))
    goals = [i for i, state in enumerate(states) if family.is_goal(problem, state)]
    incoming, distances = incoming_and_distances(edges, goals)
    return Dag(
        tuple(
            Node(state, edges[i], len(incoming[i]), depths[i], distances.get(i), i in set(goals))
            for i, state in enumerate(states)
        ),
        index,
    )


def incoming_and_distances(
    edges: list[tuple[tuple[Any, int], ...]], goals: list[int]
) -> tuple[list[list[int]], dict[int, int]]:
    """For each node the nodes that lead to it, and for each living one the moves to the nearest goal.

    Args:
        edges: for each node, (move, index of the node it leads to).
    """
    incoming: list[list[int]] = [[] for _ in edges]
    for begin, leaving in enumerate(edges):
        for _, end in leaving:
            incoming[end].append(begin)
    distances = dict.fromkeys(goals, 0)
    queue = deque(goals)
    while queue:
        here = queue.popleft()
        for before in incoming[here]:
            if before not in distances:
                distances[before] = distances[here] + 1
                queue.append(before)
    return incoming, distances
