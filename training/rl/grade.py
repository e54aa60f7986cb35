"""Follow a written search through the DAG and grade every step.

How good each state is comes from the four quantities of its DAG node.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from steiner.reasoning.tasks.languages import Language
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.problems.base import EXHAUSTED, Family
from steiner.training.problems.dag import Dag, Node
from steiner.training.problems.held_out import is_right

DEFECT = -1.0


def node_values(dag: Dag, prover_share: float) -> list[float]:
    """V(n) = a p(n) + (1 - a) q(n), in [0, 1], zero in a dead branch.

    p is the success of a walker who picks uniformly among a node's successors (out-degree); q = d_s / (d_s + d_e) is
    the progress from the question to the nearest answer (both distances). After "Rewarding Progress", arXiv 2410.08146:
    a step is rewarded by how much it changes another policy's success, which the DAG gives exactly.

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
    """w(n) = log(1 + e_i) / log(1 + max e_i): a verdict on a state with many ways in prunes more."""
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


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """One step as a model wrote it.

    Attributes:
        next_step: in English, whatever language it was written in.
        depth: depth on the live path, 1 for a first move.
        decision: "proceed", "end", the depth to go back to, or None if the step was cut off.
    """

    next_step: str
    verdict: Literal["verified", "refuted"] | None
    decision: Literal["proceed", "end"] | int | None
    depth: int


@dataclass(frozen=True, slots=True)
class StepGrade:
    """Attributes:
    move: change of the state's value, S_k in [-1, 1].
    verdict: plus or minus the verdict's weight.
    defect: -1 for a step that is unsound or repeats a refuted one, else 0.
    cost: the price of a step, not positive.
    """

    move: float
    verdict: float
    defect: float
    cost: float

    @property
    def total(self) -> float:
        return self.move + self.verdict + self.defect + self.cost


@dataclass(slots=True)
class SearchRecord:
    """What the grading of one search saw, for the exploration and exploitation figures.

    Attributes:
        shortest: steps of the shortest right search; None if the problem has no solution.
    """

    shortest: int | None = None
    grades: list[StepGrade] = field(default_factory=list)
    num_repeats: int = 0
    num_unsound: int = 0
    num_backtracks: int = 0
    num_right_verdicts: int = 0
    states: set[int] = field(default_factory=set)


class ProblemGrader:
    """Grades searches of one problem; its DAG is solved once."""

    def __init__(
        self,
        family: Family[Any, Any, Any],
        problem: Any,
        dag: Dag,
        stage: ReinforcementStage,
        language: Language = "en",
    ) -> None:
        self._language = language
        self._family = family
        self._problem = problem
        self._dag = dag
        self._stage = stage
        self._values = node_values(dag, stage.state_weight)

    def outcome(self, answer: str, num_steps: int, well_formed: bool) -> float:
        """R in [-0.5, 1]: right answers lose up to kappa for length, so every right one beats every wrong one."""
        if not well_formed:
            return -0.5
        if not self.is_right(answer):
            return 0.0
        shortest = self._dag.nodes[0].distance or 1
        longest = len(self._dag.nodes) + shortest
        excess = min(1.0, max(0, num_steps - shortest) / (longest - shortest))
        return 1.0 - self._stage.length_price * excess

    def is_right(self, answer: str) -> bool:
        """Whether the answer solves the problem in the language of the question, or rightly says that nothing
        does."""
        solvable = self._dag.nodes[0].is_alive
        return is_right(self._family, self._problem, answer, self._language, solvable=solvable)

    def grade(self, steps: Sequence[WrittenStep]) -> SearchRecord:
        """One grade for each step. A step that cannot be placed in the DAG is a defect, and nothing is rewarded until
        the search is back at a known state."""
        record = SearchRecord(self._dag.nodes[0].distance)
        path: list[int | None] = [0]
        tried: set[tuple[int, int]] = set()
        refuted: set[int] = set()
        for step in steps:
            here = path[step.depth - 1] if step.depth <= len(path) else None
            result = self._result(here, step.next_step)
            move = verdict = defect = 0.0
            if here is None or result is None:
                record.num_unsound += 1
                defect = DEFECT
            else:
                record.states.add(result)
                closing = step.next_step.strip() == EXHAUSTED.next_step
                if (here, result) in tried and result in refuted:
                    record.num_repeats += 1
                    defect = DEFECT
                right = self._deserved_verdict(here, result, closing, refuted) == step.verdict
                record.num_right_verdicts += right
                weight = verdict_weight(self._dag, result)
                verdict = weight if right else -weight
                tried.add((here, result))
            if step.verdict == "refuted" and result is not None:
                refuted.add(result)
            del path[step.depth :]
            if isinstance(step.decision, int):
                record.num_backtracks += 1
                self._abandon(path, step.decision, refuted)
            else:
                path.append(result)
            if here is not None and (end := path[-1]) is not None and not defect:
                move = max(-1.0, min(1.0, self._values[end] - self._values[here]))
            record.grades.append(StepGrade(move, verdict, defect, -self._stage.step_cost))
        return record

    def _result(self, here: int | None, next_step: str) -> int | None:
        if here is None:
            return None
        node = self._dag.nodes[here]
        if next_step.strip() == EXHAUSTED.next_step:
            return None if node.is_alive else here
        move = self._family.read_move(self._problem, node.state, next_step)
        return None if move is None else self._dag.index[self._family.apply(self._problem, node.state, move)]

    def _deserved_verdict(self, here: int, result: int, closing: bool, refuted: set[int]) -> str:
        if closing:
            return "verified"
        hopeless = self._family.is_refutable(self._problem, self._dag.nodes[result].state)
        return "refuted" if hopeless or result in refuted else "verified"

    @staticmethod
    def _abandon(path: list[int | None], depth: int, refuted: set[int]) -> None:
        """Go back. The states left behind count as refuted, because the search said so."""
        refuted.update(index for index in path[depth + 1 :] if index is not None)
        del path[depth + 1 :]
