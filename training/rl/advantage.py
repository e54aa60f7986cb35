"""From grades to an advantage for every token."""

from collections.abc import Sequence

from steiner.training.rl.grade import SearchRecord
from steiner.training.rl.rollout import Rollout


def token_advantages(
    rollouts: Sequence[Rollout],
    outcomes: Sequence[float],
    records: Sequence[SearchRecord],
    step_weight: float,
    outcome_weight: float = 1.0,
) -> list[list[float]]:
    """Advantages of one group, a list over the completion's tokens for each rollout.

    A token of step k gets w (R - mean R) + lambda (g_k - mean g), w and lambda the weights of outcome and steps, g the
    step's grade and its mean taken over all steps of the group; other tokens get the outcome's part. Grades are used
    per step and never summed over the future, so nothing accumulates by walking longer; nothing is divided by a
    standard deviation (Dr. GRPO, arXiv 2503.20783).
    """
    baseline = sum(outcomes) / len(outcomes)
    grades = [[grade.total for grade in record.grades] for record in records]
    flat = [grade for of_rollout in grades for grade in of_rollout]
    mean_grade = sum(flat) / len(flat) if flat else 0.0
    advantages = []
    for rollout, outcome, of_rollout in zip(rollouts, outcomes, grades, strict=True):
        steps = [step_weight * (grade - mean_grade) for grade in of_rollout]
        advantages.append(
            [
                outcome_weight * (outcome - baseline) + (steps[owner] if 0 <= owner < len(steps) else 0.0)
                for owner in rollout.step_of_token
            ]
        )
    return advantages
