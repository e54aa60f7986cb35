"""How good each state of a problem is, from the four quantities of its DAG node."""

import math

from steiner.training.dags.graph import Dag, Node


def node_values(dag: Dag, prover_share: float) -> list[float]:
    """V(n) = a p(n) + (1 - a) q(n), in [0, 1], zero in a dead branch.

    p is the success of a walker who picks uniformly among a node's successors (out-degree); q = d_s / (d_s + d_e) is
    the progress from the question to the nearest answer (both distances). After "Rewarding Progress", arXiv 2410.08146:
    a step is paid by the change of the success of another policy, which the DAG gives exactly.

    Args:
        prover_share: a.
    """
    success: dict[int, float] = {}
    for index in _children_first(dag):
        node = dag.nodes[index]
        children = [success[end] for _, end in node.successors]
        success[index] = 1.0 if node.is_goal else sum(children) / len(children) if children else 0.0
    return [
        prover_share * success[index] + (1.0 - prover_share) * progress(node)
        for index, node in enumerate(dag.nodes)
    ]


def progress(node: Node) -> float:
    """q(n): 0 at the question and in a dead branch, 1 at a goal."""
    if node.distance is None:
        return 0.0
    if node.distance == 0:
        return 1.0
    return node.depth / (node.depth + node.distance)


def verdict_weight(dag: Dag, index: int) -> float:
    """w(n) = log(1 + e_i) / log(1 + max e_i): a verdict on a state that many roads enter prunes more."""
    largest = max(node.num_incoming for node in dag.nodes)
    return math.log1p(dag.nodes[index].num_incoming) / math.log1p(largest) if largest else 0.0


def _children_first(dag: Dag) -> list[int]:
    order: list[int] = []
    done: set[int] = set()
    stack = [(0, False)]
    while stack:
        index, expanded = stack.pop()
        if expanded:
            order.append(index)
        elif index not in done:
            done.add(index)
            stack.append((index, True))
            stack.extend((end, False) for _, end in dag.nodes[index].successors if end not in done)
    return order
