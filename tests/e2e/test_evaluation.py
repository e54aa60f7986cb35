"""`steiner eval` on the shipped weights: everything that it can ask is taken by the real server, and well answered."""

from pathlib import Path
from typing import Any

import pytest

from steiner.client import ReasoningClient
from steiner.training.evals.chat_endpoint import ChatEndpoint
from steiner.training.evals.outcome_files import read_outcomes
from steiner.training.evals.suite import BUDGETS, run_suite
from steiner.training.evals.suite_options import SuiteOptions

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]


def test_every_condition_is_asked(server: Any, tmp_path: Path) -> None:
    options = SuiteOptions(per_family=4, per_budget=1, per_language=1, dialogues=1, four_numbers=1)
    report = run_suite(ReasoningClient(server.url), options, tmp_path)
    # One slip in twelve is within the few in a hundred that held-out problems show.
    assert report["all"]["accuracy"] >= 11 / 12 - 0.01
    assert report["all"]["violated"] == 0
    assert report["four_numbers"]["num_problems"] == 1
    for budgets in ("budgets", "verified_budgets"):
        assert [row["max_steps"] for row in report[budgets]] == list(BUDGETS)
        for row in report[budgets]:
            assert all(row[family]["mean_steps"] <= row["max_steps"] for family in report["families"])
    assert all(report["languages"][language]["all"]["accuracy"] > 0.6 for language in ("ja", "zh"))
    assert report["dialogues"]["second"]["num_problems"] == 3
    assert report["no_solution"]["num_problems"] == 12


def test_samples_differ_by_seed_and_nothing_else(server: Any, tmp_path: Path) -> None:
    options = SuiteOptions(
        per_family=2, temperature=1.0, sampling_seeds=(1, 2), only_held_out=True, concurrency=1
    )
    answers = []
    for name in ("a", "b"):
        run_suite(ReasoningClient(server.url), options, tmp_path / name)
        answers.append([(o.sampling_seed, o.answer, o.num_steps) for o in read_outcomes(tmp_path / name)])
    assert answers[0] == answers[1]
    first, second = answers[0][:6], answers[0][6:]
    assert [told[1:] for told in first] != [told[1:] for told in second]


def test_chat_completions_give_the_same_answers(server: Any, tmp_path: Path) -> None:
    options = SuiteOptions(per_family=3, chat=True)
    report = run_suite(ChatEndpoint(server.url), options, tmp_path)
    assert report["all"]["accuracy"] >= 8 / 9 - 0.01
    assert "mean_steps" not in report["all"]
    assert report["all"]["mean_reasoning_tokens"] > 50
