"""What is asked under which condition, and what the report makes of it."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steiner.reasoning import events
from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.events import Event
from steiner.reasoning.steps import End
from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training.evals.chat_endpoint import FIRST_WORDS
from steiner.training.evals.journal import AnswerJournal
from steiner.training.evals.outcome_files import read_outcomes
from steiner.training.evals.suite import BUDGETS, SIZES, run_suite
from steiner.training.evals.suite_options import SuiteOptions
from steiner.training.problems import FAMILIES

NUM_STEPS = 6


class Solver:
    """Right where it may take four steps and the seed is even; breaks the protocol where nothing holds it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def stream_async(self, prompt: Any, **options: Any) -> AsyncIterator[Event]:
        self.asked.append(options)
        reasoning = options.get("reasoning") or {}
        knows = reasoning.get("max_steps", 9) >= 4 or "verifier" in reasoning
        if reasoning.get("constrained") is False:
            yield events.Violation(detail="text", token_id=1, text="x")
        yield events.StepDone(step=1, verdict="verified", decision=End(), interrupted=False, num_tokens=9)
        limited = reasoning.get("max_steps", 9) <= NUM_STEPS
        yield events.ReasoningDone(
            ended_by="max_steps" if limited else "model",
            num_steps=1,
            num_reasoning_tokens=9,
            num_backtracks=0,
        )
        yield events.AnswerDone(
            text=solution(prompt) if knows and options.get("seed", 0) % 2 == 0 else "none",
            num_tokens=1,
            finish_reason="stop",
        )
        yield events.Usage(
            prompt_tokens=1, completion_tokens=12, reasoning_tokens=9, answer_tokens=1, forced_tokens=0
        )
        yield events.Done(finish_reason="stop")


def solution(prompt: str) -> str:
    family = FAMILIES[FIRST_WORDS[prompt.split()[0]]]
    try:
        return family.direct_answer(family.parse(prompt), random.Random(1))
    except MalformedProblemError:
        return NOT_FOUND


def test_a_search_is_asked_with_and_without_the_constraint_and_at_each_budget(tmp_path: Path) -> None:
    client = Solver()
    report = run_suite(client, SuiteOptions(per_family=6, per_budget=6), tmp_path, asked="runs/x")
    assert json.loads(json.dumps(report)) == json.loads((tmp_path / "report.json").read_text())
    assert report["command"] == "steiner eval runs/x --per-family 6 --per-budget 6"
    assert report["all"]["accuracy"] == report["no_solution"]["accuracy"] == 1.0
    assert report["unconstrained"]["violated"] == 1.0
    assert report["constraint"]["all"]["p_value"] == 1.0
    for budgets, least in (("budgets", 4), ("verified_budgets", 1)):
        assert [row["max_steps"] for row in report[budgets]] == list(BUDGETS)
        for row in report[budgets]:
            assert {row[family]["accuracy"] for family in SIZES} == {float(row["max_steps"] >= least)}
    limits = [asked["reasoning"] for asked in client.asked if "max_steps" in asked.get("reasoning", {})]
    # A search that ended by itself under eight steps is the same under more.
    asked_at = {steps for steps in BUDGETS if {"max_steps": steps} in limits}
    assert asked_at == {1, 2, 3, 4, 6, 8}
    assert limits.count({"max_steps": 8, "verifier": "auto"}) == limits.count({"max_steps": 8}) == 18
    assert len(read_outcomes(tmp_path, "32 steps, verified")) == 18
    conditions = {outcome.condition for outcome in read_outcomes(tmp_path, None)}
    assert {"held-out", "no solution", "unconstrained", "4 steps", "4 steps, verified"} <= conditions


def test_samples_have_a_spread(tmp_path: Path) -> None:
    options = SuiteOptions(per_family=8, temperature=1.0, sampling_seeds=(1, 2, 3), style="forward")
    report = run_suite(Solver(), options, tmp_path)
    assert report["all"]["num_problems"] == 24
    assert report["all"]["num_answers"] == 72
    assert set(report["seeds"]) == {"1", "2", "3"}
    shares = [seed["all"] for seed in report["seeds"].values()]
    assert (
        sum(shares) / 3 == round(report["all"]["accuracy"], 4)
        or abs(sum(shares) / 3 - report["all"]["accuracy"]) < 1e-3
    )
    assert "unconstrained" not in report


def test_a_chat_endpoint_is_asked_for_answers_alone(tmp_path: Path) -> None:
    client = Solver()
    report = run_suite(client, SuiteOptions(per_family=2, chat=True), tmp_path)
    assert report["all"]["accuracy"] == 1.0
    assert "mean_steps" not in report["all"]
    assert "unconstrained" not in report
    assert any("steps" in what for what in report["not_measured"])
    assert not any("reasoning" in asked for asked in client.asked)


def test_four_numbers_are_searched_with_memory_and_without_a_limit_on_tokens(tmp_path: Path) -> None:
    client = Solver()
    report = run_suite(client, SuiteOptions(per_family=1, four_numbers=3), tmp_path, model="m")
    assert report["four_numbers"]["num_problems"] == 3
    long = [asked for asked in client.asked if (asked.get("reasoning") or {}).get("memory")]
    assert len(long) == 3
    assert all("max_completion_tokens" not in asked and asked["model"] == "m" for asked in long)


def test_what_is_not_asked_is_not_in_the_report(tmp_path: Path) -> None:
    report = run_suite(Solver(), SuiteOptions(per_family=0, four_numbers=2), tmp_path)
    assert set(report) == {"command", "options", "four_numbers"}
    report = run_suite(Solver(), SuiteOptions(per_family=2, only_held_out=True), tmp_path)
    assert set(report) == {"command", "options", "all", "families", "sizes"}


def test_single_families_are_asked_alone(tmp_path: Path) -> None:
    client = Solver()
    report = run_suite(client, SuiteOptions(per_family=2, families=("routes",), per_budget=1), tmp_path)
    assert list(report["families"]) == list(report["sizes"]) == ["routes"]
    assert report["all"]["num_problems"] == 2
    assert {outcome.family for outcome in read_outcomes(tmp_path, None)} == {"routes"}


def test_samples_are_asked_for_at_every_limit(tmp_path: Path) -> None:
    client = Solver()
    run_suite(client, SuiteOptions(per_family=0, per_budget=2, temperature=1.0), tmp_path)
    limits = [asked["reasoning"] for asked in client.asked]
    assert all(limits.count({"max_steps": steps}) == 6 for steps in BUDGETS)


class Dying(Solver):
    """One that is gone after so many questions."""

    def __init__(self, num_answers: int) -> None:
        super().__init__()
        self.num_answers = num_answers

    async def stream_async(self, prompt: Any, **options: Any) -> AsyncIterator[Event]:
        if len(self.asked) == self.num_answers:
            raise ConnectionError
        async for event in super().stream_async(prompt, **options):
            yield event


@pytest.mark.parametrize("num_answers", [0, 5, 30])
def test_what_was_answered_before_an_error_is_not_asked_again(tmp_path: Path, num_answers: int) -> None:
    options = SuiteOptions(per_family=2, concurrency=1, temperature=1.0, sampling_seeds=(1, 2))
    whole = Solver()
    expected = run_suite(whole, options, tmp_path / "whole")
    path = tmp_path / "answers.jsonl"
    with pytest.raises(ConnectionError), AnswerJournal(path) as journal:
        run_suite(Dying(num_answers), options, tmp_path / "again", journal=journal)
    again = Solver()
    with AnswerJournal(path) as journal:
        assert len(journal) == num_answers
        assert run_suite(again, options, tmp_path / "again", journal=journal) == expected
    assert len(again.asked) == len(whole.asked) - num_answers
    assert not path.exists()
    said, said_again = ((tmp_path / name / "outcomes.jsonl").read_text() for name in ("whole", "again"))
    assert said == said_again
