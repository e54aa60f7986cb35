"""Outcomes from streams of events, scores from outcomes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import Backtrack, End
from steiner.training.evals.accuracy import Outcome, ask_all, score, wilson_half_width
from steiner.training.evals.held_out import HeldOutProblem, held_out_problems
from steiner.training.problems import FAMILIES
from steiner.training.problems.split import is_held_out


class Recorded:
    """Plays one search with a refuted and a verified step, then the answer it was given."""

    def __init__(self, answer: str, finish_reason: str = "stop") -> None:
        self.answer, self.finish_reason = answer, finish_reason
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def stream_async(self, prompt: str, **options: Any) -> AsyncIterator[Event]:
        self.asked.append((prompt, options))
        done = {"interrupted": False, "num_tokens": 20}
        yield events.StepDone(
            sequence_number=1, step=1, verdict="refuted", decision=Backtrack(to_depth=0), **done
        )
        yield events.Violation(sequence_number=2, detail="text", token_id=7, text="x")
        yield events.StepDone(sequence_number=3, step=2, verdict="verified", decision=End(), **done)
        yield events.AnswerDone(
            sequence_number=4, text=self.answer, num_tokens=5, finish_reason=self.finish_reason
        )
        yield events.Usage(
            sequence_number=5,
            prompt_tokens=9,
            completion_tokens=48,
            reasoning_tokens=40,
            answer_tokens=5,
            forced_tokens=0,
        )
        yield events.Done(sequence_number=6, finish_reason=self.finish_reason)


PROBLEM = HeldOutProblem("countdown", 3, True, FAMILIES["countdown"].parse("make 22 from 15 4 11"))


async def test_an_outcome_holds_what_the_stream_said() -> None:
    client = Recorded("( 15 + 11 ) - 4")
    seen: list[Outcome] = []
    (outcome,) = await ask_all(client, [PROBLEM], {"temperature": 0.0}, 4, seen.append)
    assert seen == [outcome]
    assert client.asked == [("make 22 from 15 4 11", {"temperature": 0.0})]
    assert (outcome.right, outcome.finished) == (True, True)
    assert (outcome.num_steps, outcome.num_refuted, outcome.num_backtracks) == (2, 1, 1)
    assert (outcome.num_violations, outcome.reasoning_tokens, outcome.completion_tokens) == (1, 40, 48)


async def test_a_wrong_or_cut_answer_is_no_success() -> None:
    (wrong,) = await ask_all(Recorded("15 + 11 + 4"), [PROBLEM], {}, 1, lambda _: None)
    (cut,) = await ask_all(Recorded("( 15 + 11", "length"), [PROBLEM], {}, 1, lambda _: None)
    assert (wrong.right, wrong.finished) == (False, True)
    assert (cut.right, cut.finished) == (False, False)


async def test_outcomes_keep_the_order_of_the_problems() -> None:
    problems = held_out_problems("routes", (3, 4), 6, seed=5)
    outcomes = await ask_all(Recorded("nowhere"), problems, {}, 3, lambda _: None)
    assert [outcome.prompt for outcome in outcomes] == [problem.prompt for problem in problems]


def test_a_score_is_the_means() -> None:
    outcomes = [
        Outcome(
            "countdown", 3, "a", right=True, finished=True, num_steps=4, num_backtracks=1, reasoning_tokens=80
        ),
        Outcome(
            "countdown",
            3,
            "b",
            right=False,
            finished=True,
            num_steps=2,
            num_violations=3,
            reasoning_tokens=20,
        ),
    ]
    scored = score(outcomes)
    assert (scored.num_problems, scored.accuracy, scored.backtracked, scored.violated) == (2, 0.5, 0.5, 0.5)
    assert (scored.unfinished, scored.mean_steps, scored.mean_reasoning_tokens) == (0.0, 3.0, 50.0)


def test_nothing_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="at least one"):
        score([])


def test_the_interval_is_wilsons() -> None:
    # 50 of 100: (0.4038, 0.5962), a textbook value.
    assert wilson_half_width(0.5, 100) == pytest.approx(0.0962, abs=1e-4)
    assert wilson_half_width(1.0, 300) > 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("solvable", [True, False])
def test_held_out_problems_are_held_out_and_repeatable(family: str, solvable: bool) -> None:
    problems = held_out_problems(family, (3,), 12, seed=2, solvable=solvable)
    assert problems == held_out_problems(family, (3,), 12, seed=2, solvable=solvable)
    assert len({problem.prompt for problem in problems}) == 12
    assert all(is_held_out(FAMILIES[family].canonical(problem.problem)) for problem in problems)
    assert [problem.accepts("not found") for problem in problems] == [not solvable] * 12
