"""Outcomes from streams of events, scores from outcomes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import Backtrack, End
from steiner.training.evals.accuracy import Messages, Outcome, ask_all, request_seed
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import HeldOutProblem, held_out_problems, is_held_out


class Recorded:
    """Plays one search with a refuted and a verified step, then the answer it was given."""

    def __init__(self, answer: str, finish_reason: str = "stop") -> None:
        self.answer, self.finish_reason = answer, finish_reason
        self.asked: list[tuple[str | Messages, dict[str, Any]]] = []

    async def stream_async(self, prompt: str | Messages, **options: Any) -> AsyncIterator[Event]:
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


async def test_every_problem_is_asked_once_with_each_seed_and_no_two_share_one() -> None:
    problems = held_out_problems("routes", (3,), 3, seed=5)
    client = Recorded("nowhere")
    outcomes = await ask_all(
        client, problems, {"temperature": 1.0}, 2, lambda _: None, condition="sampled", sampling_seeds=(1, 2)
    )
    assert [(o.prompt, o.sampling_seed) for o in outcomes] == [
        (problem.prompt, seed) for seed in (1, 2) for problem in problems
    ]
    assert {o.condition for o in outcomes} == {"sampled"}
    asked = {(prompt, options["seed"]) for prompt, options in client.asked}
    assert asked == {
        (problem.prompt, request_seed(seed, problem.prompt)) for seed in (1, 2) for problem in problems
    }
    assert len({seed for _, seed in asked}) == 6


async def test_without_sampling_seeds_no_seed_is_sent() -> None:
    client = Recorded("nowhere")
    (outcome,) = await ask_all(client, [PROBLEM], {}, 1, lambda _: None)
    assert (client.asked[0][1], outcome.sampling_seed) == ({}, None)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("solvable", [True, False])
def test_held_out_problems_are_held_out_and_repeatable(family: str, solvable: bool) -> None:
    problems = held_out_problems(family, (3,), 12, seed=2, solvable=solvable)
    assert problems == held_out_problems(family, (3,), 12, seed=2, solvable=solvable)
    assert len({problem.prompt for problem in problems}) == 12
    assert all(is_held_out(FAMILIES[family].canonical(problem.problem)) for problem in problems)
    assert [problem.accepts("not found") for problem in problems] == [not solvable] * 12
