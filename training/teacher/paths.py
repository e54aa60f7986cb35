"""Traces with backtracks, sampled from a DAG: from the question to a right answer, with detours that turn back.

A detour leaves the way at a node where some edge leads to a dead node, one from which no right answer is reached. It
goes on over dead nodes, and its last step is refuted: by the teacher's own words where it refuted that step or said
what was wrong on the way there, else by a plain sentence. The search then goes back to where the detour began.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from steiner.reasoning.tasks.languages import Language
from steiner.training.problems.base import SectionTexts
from steiner.training.problems.dag import Dag
from steiner.training.teacher.completions import StepTree
from steiner.training.teacher.config import Paths
from steiner.training.traces.walk import TaughtTrace, TraceStep

NO_WAY: dict[Language, str] = {
    "en": "This does not lead to a right answer.",
    "ja": "これは正しい答えに至らない。",
    "zh": "这样得不到正确答案。",
}
TRIES = 20
"""Draws for each trace that is asked for, before a DAG counts as exhausted."""


def sample_paths(
    dag: Dag, tree: StepTree, answer: str, settings: Paths, language: Language, rng: random.Random
) -> list[TaughtTrace]:
    """Different traces, as many as asked for or as were found; none where no right answer was reached.

    Two traces differ if their nodes or their decisions do. One that goes deeper than allowed is not taken.
    """
    found: dict[tuple[Any, ...], TaughtTrace] = {}
    if not dag.nodes[0].is_alive or dag.nodes[0].is_goal:
        return []
    for _ in range(TRIES * settings.per_question):
        trace = _Walk(dag, tree, settings, language, rng).run(answer)
        if _depth(trace) <= settings.max_depth:
            found.setdefault(tuple((step.node, step.decision) for step in trace.steps), trace)
        if len(found) == settings.per_question:
            break
    return list(found.values())


def _depth(trace: TaughtTrace) -> int:
    deepest = here = 0
    for step in trace.steps:
        deepest = max(deepest, here + 1)
        here = step.decision if isinstance(step.decision, int) else here + 1
    return deepest


@dataclass(slots=True)
class _Walk:
    dag: Dag
    tree: StepTree
    settings: Paths
    language: Language
    rng: random.Random
    steps: list[TraceStep] = field(default_factory=list)
    tried: set[int] = field(default_factory=set)

    def run(self, answer: str) -> TaughtTrace:
        way = self._way()
        forks = [place for place, node in enumerate(way[:-1]) if self._dead_ends(node)]
        wanted = self.rng.randint(1, self.settings.max_detours)
        if self.rng.random() < self.settings.forward:
            wanted = 0
        # A fork may be left more than once, for different dead ends.
        detours = sorted(self.rng.choices(forks, k=wanted)) if forks else []
        for depth, (node, after) in enumerate(pairwise(way)):
            for _ in range(detours.count(depth)):
                self._detour(node, depth)
            numbers = next(steps for steps, end in self.dag.nodes[node].successors if end == after)
            sections = self.tree.step(self.rng.choice(self._standing(numbers))).sections
            decision: Literal["proceed", "end"] = "end" if depth == len(way) - 2 else "proceed"
            self.steps.append(TraceStep(sections, "verified", decision, after))
        return TaughtTrace(tuple(self.steps), answer)

    def _way(self) -> list[int]:
        """From the question to the first right answer, each node by the support of its edge."""
        way = [0]
        while not (node := self.dag.nodes[way[-1]]).is_goal:
            alive = [(steps, end) for steps, end in node.successors if self.dag.nodes[end].is_alive]
            way.append(self.rng.choices([e for _, e in alive], [len(steps) for steps, _ in alive])[0])
        return way

    def _dead_ends(self, node: int) -> list[tuple[tuple[int, ...], int]]:
        return [
            (steps, end)
            for steps, end in self.dag.nodes[node].successors
            if not self.dag.nodes[end].is_alive and end not in self.tried
        ]

    def _detour(self, fork: int, depth: int) -> None:
        """Steps into a dead end, the last of which is refuted; none where every one was tried in this trace."""
        length = self.rng.randint(1, self.settings.max_detour_steps)
        here, reason = fork, None
        taken: list[tuple[int, int]] = []
        while len(taken) < length and (ends := self._dead_ends(here)):
            numbers, here = self.rng.choices(ends, [len(steps) for steps, _ in ends])[0]
            number = self.rng.choice(self._standing(numbers))
            taken.append((number, here))
            reason = self._reason(numbers) or reason
            if self.tree.step(number).refuted:
                break
        # The last node is done with; the others may be entered again, for what else they lead to.
        self.tried.update(node for _, node in taken[-1:])
        for place, (number, node) in enumerate(taken, 1):
            sections = self.tree.step(number).sections
            if place < len(taken):
                self.steps.append(TraceStep(sections, "verified", "proceed", node))
            else:
                refuted = self._refuted(number, sections, reason)
                self.steps.append(TraceStep(refuted, "refuted", depth, node))

    def _refuted(self, number: int, sections: SectionTexts, reason: str | None) -> SectionTexts:
        if self.tree.step(number).refuted:
            return sections
        told = reason or NO_WAY[self.language]
        return replace(sections, verification=told, summary=told)

    def _reason(self, numbers: Sequence[int]) -> str | None:
        return next((self.tree.reasons[n] for n in numbers if self.tree.reasons.get(n)), None)

    def _standing(self, numbers: Sequence[int]) -> Sequence[int]:
        """The steps of an edge that the teacher let stand, or all if it refuted each."""
        return [n for n in numbers if not self.tree.step(n).refuted] or numbers
