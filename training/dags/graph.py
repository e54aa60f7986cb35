"""The DAG of a problem's states, dead ends included."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """One state.

    Attributes:
        state: order-free identity of the situation.
        successors: (move, index of the node it leads to), in canonical order.
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
    def num_outgoing(self) -> int:
        """e_o of the reward."""
        return len(self.successors)

    @property
    def is_alive(self) -> bool:
        """Whether a goal can still be reached."""
        return self.distance is not None


@dataclass(frozen=True, slots=True)
class Dag:
    """Node 0 is the question; edges lead from smaller to larger depth or stay within the search order."""

    nodes: tuple[Node, ...]
    index: dict[Hashable, int]
