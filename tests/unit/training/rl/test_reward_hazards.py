"""What a reward must not pay for, tried with scripted searchers and no model.

For every family: optimal search > honest depth-first search > lucky guess on average > everything that games the steps.
"""

import random
from collections.abc import Callable
from statistics import mean
from typing import Any, Literal

import pytest

from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.problems import FAMILIES, Family
from steiner.training.problems.base import StepContext
from steiner.training.problems.dag import Dag, build_dag
from steiner.training.rl.grade import ProblemGrader, SearchRecord, WrittenStep
from steiner.training.traces.walk import sample_trace

NUM_PROBLEMS = 150
SIZES = {"countdown": 3, "routes": 4, "knights": 5}
STAGE = ReinforcementStage(steps=1)
WRONG = "no answer at all"


def search_score(outcome: float, record: SearchRecord, step_weight: float) -> float:
    """What the advantages pay on average, as one number: R + lambda x mean grade.

    A mean and not a sum, so that walking longer adds nothing.
    """
    grades = [grade.total for grade in record.grades]
    return outcome + step_weight * (sum(grades) / len(grades) if grades else 0.0)


class Searcher:
    """A scripted way to search one problem; gives the steps, the answer, and whether it came to an end."""

    def __init__(self, family: Family[Any, Any, Any], problem: Any, dag: Dag, rng: random.Random) -> None:
        self.family, self.problem, self.dag, self.rng = family, problem, dag, rng

    def next_step(self, state: Any, move: Any) -> str:
        result = self.family.apply(self.problem, state, move)
        context = StepContext(self.problem, (), state, (), move, result, False, True, (), (result, ()))
        return self.family.render_step(context).next_step

    def distance(self, state: Any) -> int | None:
        return self.dag.nodes[self.dag.index[state]].distance

    def forward(
        self, choose: Callable[[Any], list[Any]], honest: bool
    ) -> tuple[list[WrittenStep], str, bool]:
        """Never turn back; an honest one gives up at the first dead end that it sees."""
        family, problem = self.family, self.problem
        state = family.root(problem)
        steps: list[WrittenStep] = []
        path: list[tuple[Any, Any]] = []
        while moves := choose(state):
            move = self.rng.choice(moves)
            result = family.apply(problem, state, move)
            refuted = honest and family.is_refutable(problem, result)
            ends = refuted or not family.moves(problem, result)
            decision: Literal["proceed", "end"] = "end" if ends else "proceed"
            verdict: Literal["verified", "refuted"] = "refuted" if refuted else "verified"
            steps.append(WrittenStep(self.next_step(state, move), verdict, decision, len(steps) + 1))
            path.append((state, move))
            state = result
            if refuted:
                break
        found = family.is_goal(problem, state)
        return steps, family.answer(problem, path) if found else WRONG, True

    def legal(self, state: Any) -> list[Any]:
        return list(self.family.moves(self.problem, state))

    def optimal(self) -> tuple[list[WrittenStep], str, bool]:
        def nearer(state: Any) -> list[Any]:
            wanted = (self.distance(state) or 0) - 1
            apply = self.family.apply
            return [m for m in self.legal(state) if self.distance(apply(self.problem, state, m)) == wanted]

        return self.forward(nearer, honest=True)

    def depth_first(self) -> tuple[list[WrittenStep], str, bool]:
        trace = sample_trace(self.family, self.problem, self.dag, self.rng)
        steps, depth = [], 1
        for step in trace.steps:
            steps.append(WrittenStep(step.sections.next_step, step.verdict, step.decision, depth))
            depth = step.decision + 1 if isinstance(step.decision, int) else depth + 1
        return steps, trace.answer, True

    def lucky_guess(self) -> tuple[list[WrittenStep], str, bool]:
        return self.forward(self.legal, honest=True)

    def always_verify(self) -> tuple[list[WrittenStep], str, bool]:
        return self.forward(self.legal, honest=False)

    def wanderer(self) -> tuple[list[WrittenStep], str, bool]:
        steps, _, _ = self.depth_first()
        return (steps[:-1] or steps) * 4, WRONG, False

    def repeater(self) -> tuple[list[WrittenStep], str, bool]:
        state = self.family.root(self.problem)
        dead = [
            m for m in self.legal(state) if self.distance(self.family.apply(self.problem, state, m)) is None
        ]
        step = WrittenStep(self.next_step(state, (dead or self.legal(state))[0]), "refuted", 0, 1)
        return [step] * 12, WRONG, False

    def always_refute(self) -> tuple[list[WrittenStep], str, bool]:
        state = self.family.root(self.problem)
        return (
            [WrittenStep(self.next_step(state, m), "refuted", 0, 1) for m in self.legal(state)],
            WRONG,
            True,
        )


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def mean_scores(request: pytest.FixtureRequest) -> dict[str, float]:
    family = FAMILIES[request.param]
    rng = random.Random(7)
    ways = ("optimal", "depth_first", "lucky_guess", "always_verify", "wanderer", "repeater", "always_refute")
    scores: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(NUM_PROBLEMS):
        problem = family.generate(rng, SIZES[request.param])
        dag = build_dag(family, problem)
        grader = ProblemGrader(family, problem, dag, STAGE)
        searcher = Searcher(family, problem, dag, rng)
        for way in ways:
            steps, answer, ended = getattr(searcher, way)()
            outcome = grader.outcome(answer, len(steps), ended)
            scores[way].append(search_score(outcome, grader.grade(steps), STAGE.step_weight))
    return {way: mean(of_way) for way, of_way in scores.items()}


def test_a_better_search_scores_more(mean_scores: dict[str, float]) -> None:
    assert mean_scores["optimal"] > mean_scores["depth_first"] > mean_scores["lucky_guess"]


@pytest.mark.parametrize("gamer", ["wanderer", "repeater", "always_refute", "always_verify"])
def test_gaming_the_steps_scores_less_than_a_guess(mean_scores: dict[str, float], gamer: str) -> None:
    assert mean_scores[gamer] < mean_scores["lucky_guess"]


def test_every_right_answer_beats_every_wrong_one() -> None:
    family = FAMILIES["countdown"]
    problem = family.parse("make 22 from 15 4 11")
    grader = ProblemGrader(family, problem, build_dag(family, problem), STAGE)
    right = family.direct_answer(problem, random.Random(1))
    assert (
        grader.outcome(right, 10_000, True) > grader.outcome(WRONG, 1, True) > grader.outcome(right, 2, False)
    )
