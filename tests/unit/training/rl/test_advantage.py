"""Who is paid for what: every token by the outcome, a step's tokens by its grade as well."""

import pytest

from steiner.training.rl.grade import SearchRecord, StepGrade
from steiner.training.rl.judge import token_advantages
from steiner.training.rl.rollout import Rollout


def rollout(owners: list[int]) -> Rollout:
    return Rollout([7, *range(len(owners))], 1, owners, [], "", True)


def record(*moves: float) -> SearchRecord:
    return SearchRecord(grades=[StepGrade(move, 0.0, 0.0, 0.0) for move in moves])


ROLLOUTS = [rollout([-1, 0, 0, 1, -1]), rollout([-1, 0, -1])]
RECORDS = [record(0.6, 0.2), record(-0.2)]
OUTCOMES = [1.0, 0.0]
MEAN_GRADE = 0.2


def test_tokens_are_paid_by_outcome_and_step() -> None:
    first, second = token_advantages(ROLLOUTS, OUTCOMES, RECORDS, step_weight=0.5)
    assert first == pytest.approx([0.5, 0.7, 0.7, 0.5, 0.5])
    assert second == pytest.approx([-0.5, -0.7, -0.5])


def test_without_steps_every_token_of_a_rollout_is_paid_alike() -> None:
    first, second = token_advantages(ROLLOUTS, OUTCOMES, RECORDS, step_weight=0.0)
    assert (set(first), set(second)) == ({0.5}, {-0.5})


def test_without_the_outcome_only_steps_are_paid() -> None:
    paid = token_advantages(ROLLOUTS, OUTCOMES, RECORDS, step_weight=0.5, outcome_weight=0.0)
    assert paid[0] == pytest.approx([0.0, 0.2, 0.2, 0.0, 0.0])
    assert paid[1] == pytest.approx([0.0, -0.2, 0.0])
    assert pytest.approx(sum(g.total for r in RECORDS for g in r.grades) / 3) == MEAN_GRADE
