"""A graph of what was written to a question: nodes are clusters of steps, edges are steps that follow each other.

Four rules make it a DAG of living and dead nodes:

1. Steps behind which a right answer was given, and steps behind which none was, are never the same node. So every step
   of a node that ends the search does end it, and no trace says one thing and answers another.
2. An edge from one node to another is supported by every step that was written from the one to the other. A step that
   the teacher itself refuted supports an edge only where all of its node was refuted.
3. Edges are taken by their support, the strongest first, and of equal ones the one that was written first. An edge that
   would close a cycle with those already taken is left out; so is one from a node to itself, and one to the question.
4. A node from which no right answer is reached, but text that was cut off, is left out: nobody knows that it is dead.
   So is what the question no longer reaches.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steiner.training.problems.dag import Dag, Node, incoming_and_distances
from steiner.training.teacher.completions import ROOT, StepTree

Edge = tuple[int, int]
QUESTION = ROOT
"""The node of the question."""


@dataclass(frozen=True, slots=True)
class TaughtDag:
    """A DAG whose moves are tuples of step numbers, those that support the edge.

    Attributes:
        dropped: edges that would have closed a cycle, by their nodes, with their support.
    """

    dag: Dag
    dropped: tuple[tuple[Edge, int], ...]


def build_taught_dag(tree: StepTree, clusters: Sequence[int], texts: Sequence[str]) -> TaughtDag:
    """The DAG of a tree.

    Args:
        clusters: of each step, from 0.
        texts: of each step, what was compared; a node's state is its number and its first step's text.
    """
    node_of = _nodes_of_steps(tree, clusters)
    ends = {node_of[step] for step in tree.ends}
    support = _support(tree, node_of)
    kept, dropped = break_cycles({edge: len(steps) for edge, steps in support.items()})
    living = _leading_to(kept, ends)
    unknown = _leading_to(kept, {node_of[step] for step in tree.unfinished}) - living
    successors: dict[int, list[int]] = {}
    for begin, end in sorted(kept):
        if end not in unknown:
            successors.setdefault(begin, []).append(end)
    order, depths = _reached(successors)
    index = {node: place for place, node in enumerate(order)}
    edges = [tuple((support[node, end], index[end]) for end in successors.get(node, ())) for node in order]
    first_text = dict(zip(reversed(node_of[1:]), reversed(texts), strict=True)) | {QUESTION: ""}
    goals = sorted(index[node] for node in ends if node in index)
    incoming, distances = incoming_and_distances(edges, goals)
    states = [(node, first_text[node]) for node in order]
    nodes = tuple(
        Node(state, edges[i], len(incoming[i]), depths[i], distances.get(i), i in goals)
        for i, state in enumerate(states)
    )
    return TaughtDag(Dag(nodes, {state: i for i, state in enumerate(states)}), tuple(dropped))


def break_cycles(support: Mapping[Edge, int]) -> tuple[list[Edge], list[tuple[Edge, int]]]:
    """Rule 3, on edges in the order in which they were first written; returns those kept and those left out.

    Of every edge left out there is a way back, from its end to its begin, over kept edges of at least its support.
    """
    successors: dict[int, set[int]] = {}
    kept: list[Edge] = []
    dropped: list[tuple[Edge, int]] = []
    for edge, number in sorted(support.items(), key=lambda item: -item[1]):
        begin, end = edge
        if end == QUESTION or _reaches(successors, end, begin):
            dropped.append((edge, number))
        else:
            successors.setdefault(begin, set()).add(end)
            kept.append(edge)
    return kept, dropped


def _nodes_of_steps(tree: StepTree, clusters: Sequence[int]) -> list[int]:
    """The node of each step number, numbered by their first steps; that of the question stands first."""
    ends = set(tree.ends)
    numbers: dict[tuple[int, bool], int] = {}
    nodes = [QUESTION]
    for step, cluster in enumerate(clusters, 1):
        nodes.append(numbers.setdefault((cluster, step in ends), len(numbers) + 1))
    return nodes


def _support(tree: StepTree, node_of: Sequence[int]) -> dict[Edge, tuple[int, ...]]:
    standing = {node_of[number] for number, step in enumerate(tree.steps, 1) if not step.refuted}
    support: dict[Edge, tuple[int, ...]] = {}
    for number, step in enumerate(tree.steps, 1):
        edge = (node_of[step.parent], node_of[number])
        if edge[0] != edge[1] and not (step.refuted and edge[1] in standing):
            support[edge] = (*support.get(edge, ()), number)
    return support


def _reaches(successors: Mapping[int, set[int]], begin: int, end: int) -> bool:
    seen, waiting = {begin}, [begin]
    while waiting:
        here = waiting.pop()
        if here == end:
            return True
        new = successors.get(here, set()) - seen
        seen |= new
        waiting += new
    return False


def _leading_to(edges: Iterable[Edge], ends: set[int]) -> set[int]:
    """These nodes, and every one from which an edge leads to one of them in the end."""
    predecessors: dict[int, set[int]] = {}
    for begin, end in edges:
        predecessors.setdefault(end, set()).add(begin)
    found, waiting = set(ends), list(ends)
    while waiting:
        new = predecessors.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _reached(successors: Mapping[int, list[int]]) -> tuple[list[int], list[int]]:
    """Nodes that the question reaches, breadth first, and their depths."""
    depth = {QUESTION: 0}
    queue = deque([QUESTION])
    while queue:
        here = queue.popleft()
        for end in successors.get(here, ()):
            if end not in depth:
                depth[end] = depth[here] + 1
                queue.append(end)
    return list(depth), list(depth.values())
