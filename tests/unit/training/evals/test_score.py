"""Scores from outcomes."""

import pytest

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.intervals import wilson_half_width
from steiner.training.evals.score import right_shares, score

SEARCHED = Outcome(
    "countdown", 3, "a", right=True, finished=True, num_steps=4, num_backtracks=1, reasoning_tokens=80
)
BROKEN = Outcome(
    "countdown", 3, "b", right=False, finished=True, num_steps=2, num_violations=3, reasoning_tokens=20
)


def test_a_score_is_the_means() -> None:
    scored = score([SEARCHED, BROKEN])
    assert (scored.num_problems, scored.accuracy, scored.backtracked, scored.violated) == (2, 0.5, 0.5, 0.5)
    assert (scored.unfinished, scored.mean_steps, scored.mean_reasoning_tokens) == (0.0, 3.0, 50.0)
    assert scored.accuracy_error == wilson_half_width(0.5, 2)


def test_several_answers_to_a_problem_are_one_problem() -> None:
    outcomes = [
        Outcome("routes", 3, prompt, right=right, sampling_seed=seed)
        for seed in (1, 2, 3)
        for prompt, right in (("a", True), ("b", seed == 1), ("c", False))
    ]
    assert right_shares(outcomes) == pytest.approx(
        {("routes", "a"): 1.0, ("routes", "b"): 1 / 3, ("routes", "c"): 0.0}
    )
    scored = score(outcomes)
    assert (scored.num_problems, scored.num_answers) == (3, 9)
    assert scored.accuracy == pytest.approx(4 / 9)
    assert wilson_half_width(4 / 9, 9) < scored.accuracy_error <= wilson_half_width(4 / 9, 3)
    assert scored.accuracy_low < scored.accuracy < scored.accuracy_high


def test_what_a_plain_endpoint_does_not_tell_is_left_out() -> None:
    plain = score([Outcome("countdown", 3, "a", right=True)], typed_steps=False).as_json()
    assert "mean_steps" not in plain
    assert "violated" not in plain
    assert "mean_completion_tokens" not in plain
    counted = score([Outcome("countdown", 3, "a", completion_tokens=7)], typed_steps=False).as_json()
    assert counted["mean_completion_tokens"] == 7
    assert "mean_reasoning_tokens" not in counted
    assert score([Outcome("countdown", 3, "a")]).as_json()["mean_steps"] == 0


def test_nothing_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="at least one"):
        score([])
