"""Sample a trace from a DAG: a depth-first search that verifies every step and backtracks out of dead ends."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal

from steiner.reasoning.tasks.base import NOT_FOUND, Move, Problem, State
from steiner.reasoning.tasks.languages import Language, in_language
from steiner.training.problems.base import EXHAUSTED, Family, SectionTexts, StepContext
from steiner.training.problems.dag import Dag

Verdict = Literal["verified", "refuted"]


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step as it is taught.

    Attributes:
        decision: "proceed", "end", or the depth on the live path to go back to (0 is the problem itself).
        node: index of the DAG node the step leads to; the node it stays at for the closing step.
    """

    sections: SectionTexts
    verdict: Verdict
    decision: Literal["proceed", "end"] | int
    node: int


@dataclass(frozen=True, slots=True)
class TaughtTrace:
    """A whole search and its answer."""

    steps: tuple[TraceStep, ...]
    answer: str

    @property
    def num_backtracks(self) -> int:
        return sum(isinstance(step.decision, int) for step in self.steps)

    def told_in(self, language: Language) -> "TaughtTrace":
        """The same search in another language."""
        steps = tuple(replace(step, sections=step.sections.told_in(language)) for step in self.steps)
        return TaughtTrace(steps, in_language(self.answer, language))

    def conclusions(self) -> list[str]:
        """Summaries of the live path, the same as `steiner.reasoning.trace.Trace.conclusions` of that trace."""
        path: list[str] = []
        for step in self.steps:
            if isinstance(step.decision, int):
                del path[step.decision :]
            else:
                path.append(step.sections.summary)
        return path


class _Search(Generic[Problem, State, Move]):
    """Depth-first search over the DAG with the family's order.

    A search that remembers knows every state that it refuted. One that does not only knows the live path, and what
    was tried at each of its places.
    """

    def __init__(
        self,
        family: Family[Problem, State, Move],
        problem: Problem,
        dag: Dag,
        rng: random.Random,
        remembers: bool,
    ) -> None:
        self._family = family
        self._problem = problem
        self._dag = dag
        self._rng = rng
        self._remembers = remembers
        self._path: list[tuple[State, Move]] = []
        self._state = family.root(problem)
        self._untried: dict[State, list[Move]] = {}
        self._tried: dict[State, list[Move]] = {}
        self._refuted: set[State] = set()

    def run(self) -> TaughtTrace:
        steps: list[TraceStep] = []
        while True:
            moves = self._moves_left(self._state)
            if not moves:
                return TaughtTrace((*steps, self._closing_step()), NOT_FOUND)
            steps.append(self._step(moves.pop(0)))
            if steps[-1].decision == "end":
                return TaughtTrace(tuple(steps), self._family.answer(self._problem, self._path))

    def _moves_left(self, state: State) -> list[Move]:
        if state not in self._untried:
            legal = self._family.moves(self._problem, state)
            self._untried[state] = self._family.order(self._problem, state, legal, self._rng)
            self._tried[state] = []
        return self._untried[state]

    def _step(self, move: Move) -> TraceStep:
        state, path = self._state, tuple(self._path)
        tried = tuple(self._tried[state])
        result = self._family.apply(self._problem, state, move)
        seen = self._remembers and result in self._refuted
        verified = not seen and not self._family.is_refutable(self._problem, result)
        decision: Literal["proceed", "end"] | int
        exhausted: list[tuple[State, Sequence[Move]]] = []
        if verified:
            self._path.append((state, move))
            self._state = result
            if not self._remembers:
                # The search may be here for a second time without knowing it.
                self._untried.pop(result, None)
            decision = "end" if self._family.is_goal(self._problem, result) else "proceed"
        else:
            self._tried[state].append(move)
            self._refuted.add(result)
            exhausted = self._retreat()
            decision = len(self._path)
        return_to = (self._state, () if verified else tuple(self._tried[self._state]))
        context = StepContext(
            self._problem, path, state, tried, move, result, seen, verified, exhausted, return_to
        )
        return TraceStep(
            self._family.render_step(context),
            "verified" if verified else "refuted",
            decision,
            self._dag.index[result],
        )

    def _retreat(self) -> list[tuple[State, Sequence[Move]]]:
        """Leave every state whose moves have all been tried; returns these states, each with its moves."""
        exhausted: list[tuple[State, Sequence[Move]]] = []
        while self._path and not self._moves_left(self._state):
            exhausted.append((self._state, tuple(self._tried[self._state])))
            self._refuted.add(self._state)
            self._state, move = self._path.pop()
            self._tried[self._state].append(move)
        return exhausted

    def _closing_step(self) -> TraceStep:
        tried = tuple(self._tried[self._state])
        return give_up(self._family, self._problem, self._state, tried, self._dag.index[self._state])


def give_up(
    family: Family[Problem, State, Move], problem: Problem, state: State, tried: Sequence[Move], node: int
) -> TraceStep:
    """The closing step of a search that found nothing."""
    sections = replace(EXHAUSTED, understanding=family.understanding(problem, state, tried))
    return TraceStep(sections, "verified", "end", node)


def sample_trace(
    family: Family[Any, Any, Any], problem: Any, dag: Dag, rng: random.Random, remembers: bool = True
) -> TaughtTrace:
    """One depth-first search in a random systematic order; it ends at a goal or with everything tried.

    Args:
        remembers: whether a state refuted on another branch is known when it comes up again; a trace whose abandoned
            branches are folded away must not.
    """
    return _Search(family, problem, dag, rng, remembers).run()
