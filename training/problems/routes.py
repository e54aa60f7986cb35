"""Routes as they are trained (sequential decision): problems with planted dead ends, and the words of a search.

A path-star graph (arXiv 2403.06963) made harder: `size` arms leave the start, one reaches the goal, the others end,
some fork, some join another arm. Nothing near the start tells which arm is right, so a model that only goes forward
stays near one in `size`.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks.routes import PLACES, RoutesProblem, RoutesRules
from steiner.training.problems.base import SectionTexts, StepContext

ARM_LENGTHS = (2, 4)
FORK_SHARE = 0.25
JOIN_SHARE = 0.15
UNREACHED_SHARE = 0.05


class Routes(RoutesRules):
    # Every arm may need its longest length and a fork.
    sizes = range(1, (len(PLACES) - 1) // (ARM_LENGTHS[1] + 1) + 1)
    words: tuple[str, ...] = (
        *PLACES, "roads", ">", ",", "from", "to", "at", "none", "seen", "found", "path", "open", ":",
    )  # fmt: skip
    revision_words: tuple[str, ...] = ("now", "also")

    def generate(self, rng: random.Random, size: int, solvable: bool = True) -> RoutesProblem:
        """`size` arms of 2 to 4 roads each; the goal ends one of them, or lies beyond a missing road."""
        while True:
            free = rng.sample(PLACES, len(PLACES))
            start = free.pop()
            arms = [[free.pop() for _ in range(rng.randint(*ARM_LENGTHS))] for _ in range(size)]
            goal = arms[0][-1]
            roads = {road for arm in arms for road in zip([start, *arm], arm, strict=False)}
            for arm in arms:
                if rng.random() < FORK_SHARE:
                    roads.add((rng.choice(arm[:-1]), free.pop()))
            for index, arm in enumerate(arms[1:-1], start=1):
                if rng.random() < JOIN_SHARE:
                    # Only towards a later, dead arm: the graph stays acyclic and the goal keeps one arm.
                    roads.add((rng.choice(arm), rng.choice(arms[index + 1])))
            if not solvable:
                roads.discard((arms[0][-2], goal))
            told = sorted(roads)
            rng.shuffle(told)
            return RoutesProblem(tuple(told), start, goal)

    def draw_revision(self, problem: RoutesProblem, rng: random.Random) -> str:
        """If nothing leads to the goal, a road that does, else another goal; one goal in twenty lies on no road."""
        reached = self._reached(problem)
        if problem.goal not in reached:
            return f"also {rng.choice(sorted(reached))} > {problem.goal}"
        told = {place for road in problem.roads for place in road}
        beyond = rng.random() < UNREACHED_SHARE
        goals = set(PLACES) - told if beyond else reached - {problem.start, problem.goal}
        return f"now to {rng.choice(sorted(goals))}"

    @staticmethod
    def _reached(problem: RoutesProblem) -> set[str]:
        reached: set[str] = set()
        waiting = [problem.start]
        while waiting:
            place = waiting.pop()
            if place not in reached:
                reached.add(place)
                waiting += problem.successors(place)
        return reached

    def canonical(self, problem: RoutesProblem) -> str:
        """The set of named roads with both ends; their order does not count."""
        told = ", ".join(f"{begin} > {end}" for begin, end in sorted(problem.roads))
        return f"routes {told} from {problem.start} to {problem.goal}"

    def to_json(self, problem: RoutesProblem) -> dict[str, Any]:
        return {"roads": [list(road) for road in problem.roads], "start": problem.start, "goal": problem.goal}

    def from_json(self, fields: Mapping[str, Any]) -> RoutesProblem:
        roads = tuple((begin, end) for begin, end in fields["roads"])
        return RoutesProblem(roads, fields["start"], fields["goal"])

    def prompt(self, problem: RoutesProblem) -> str:
        told = ", ".join(f"{begin} > {end}" for begin, end in problem.roads)
        return f"roads {told} from {problem.start} to {problem.goal}"

    def order(
        self, problem: RoutesProblem, state: str, moves: Sequence[str], rng: random.Random
    ) -> list[str]:
        return rng.sample(list(moves), len(moves))

    def understanding(self, problem: RoutesProblem, state: str, tried: Sequence[str]) -> str:
        """The current place, and the roads from it that are still open."""
        return " ".join(["at", state, *self._still_open(problem, state, tried)])

    def render_step(self, step: StepContext[RoutesProblem, str, str]) -> SectionTexts:
        if step.verified:
            travelled = [place for place, _ in step.path] + [step.state, step.result]
            summary = f"path {' '.join(travelled)}"
        else:
            place, tried = step.return_to
            summary = " ".join(["open", place, ":", *self._still_open(step.problem, place, tried)])
        return SectionTexts(
            understanding=self.understanding(step.problem, step.state, step.tried),
            next_step=step.move,
            verification=self._look(step.problem, step.result, step.seen),
            summary=summary,
        )

    def answer(self, problem: RoutesProblem, path: Sequence[tuple[str, str]]) -> str:
        return " ".join([problem.start, *(move for _, move in path)])

    def direct_answer(self, problem: RoutesProblem, rng: random.Random) -> str:
        entered: set[str] = set()

        def search(place: str) -> list[str] | None:
            entered.add(place)
            if place == problem.goal:
                return [place]
            for successor in problem.successors(place):
                if successor not in entered and (rest := search(successor)):
                    return [place, *rest]
            return None

        found = search(problem.start)
        if found is None:
            raise MalformedProblemError(f"No way leads from {problem.start} to {problem.goal}.")
        return " ".join(found)

    def drills(
        self, problem: RoutesProblem, rng: random.Random
    ) -> Iterator[tuple[Literal["verified", "refuted"], SectionTexts]]:
        """Stand somewhere, look at what lies open, go there, look again."""
        begins = sorted({begin for begin, _ in problem.roads})
        while True:
            place = rng.choice(begins)
            move = rng.choice(problem.successors(place))
            yield (
                "refuted" if self.is_refutable(problem, move) else "verified",
                SectionTexts(
                    self.understanding(problem, place, ()), move, self._look(problem, move, seen=False), ""
                ),
            )

    @staticmethod
    def _still_open(problem: RoutesProblem, place: str, tried: Sequence[str]) -> list[str]:
        return [successor for successor in problem.successors(place) if successor not in tried]

    @staticmethod
    def _look(problem: RoutesProblem, place: str, seen: bool) -> str:
        """The goal restated, then the place, then at once what lies beyond it."""
        if seen:
            ahead = ["seen"]
        elif place == problem.goal:
            ahead = ["found"]
        else:
            ahead = problem.successors(place) or ["none"]
        return f"to {problem.goal} at {place} {' '.join(ahead)}"
