"""Rollouts with their rewards: outcome, graded steps, an advantage for every token, and the figures of a batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import ProblemRecord
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.rl.grade import ProblemGrader, SearchRecord
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


def rollout_figures(
    rollouts: Sequence[Rollout],
    outcomes: Sequence[float],
    records: Sequence[SearchRecord],
    right: Sequence[bool],
) -> dict[str, float]:
    """Means over rollouts; per step where their name says so. Steps over the optimum are those of right answers."""
    num = len(rollouts)
    num_steps = max(1, sum(len(record.grades) for record in records))
    over_optimum = [
        len(record.grades) - record.shortest
        for record, is_right in zip(records, right, strict=True)
        if is_right and record.shortest is not None
    ]
    completion_tokens = sum(len(r.token_ids) - r.num_prompt_tokens for r in rollouts)
    return {
        "reward": sum(outcomes) / num,
        "accuracy": sum(right) / num,
        "well_formed": sum(r.well_formed for r in rollouts) / num,
        "completion_tokens": completion_tokens / num,
        "steps": num_steps / num,
        "steps_over_optimum": sum(over_optimum) / max(1, len(over_optimum)),
        "backtracks": sum(record.num_backtracks for record in records) / num,
        "backtracks_per_step": sum(record.num_backtracks for record in records) / num_steps,
        "distinct_states": sum(len(record.states) for record in records) / num,
        "right_verdicts_per_step": sum(record.num_right_verdicts for record in records) / num_steps,
        "repeats_per_step": sum(record.num_repeats for record in records) / num_steps,
        "unsound_per_step": sum(record.num_unsound for record in records) / num_steps,
    }


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """The rollouts of one problem.

    Attributes:
        outcomes: R of each rollout.
        records: the graded steps of each.
        right: whether each is well formed and its answer right.
    """

    rollouts: Sequence[Rollout]
    outcomes: list[float]
    records: list[SearchRecord]
    right: list[bool]

    def advantages(self, stage: ReinforcementStage) -> list[list[float]]:
        """The advantage of every token of each completion."""
        return token_advantages(
            self.rollouts, self.outcomes, self.records, stage.step_weight, stage.outcome_weight
        )


def judge(described: ProblemRecord, rollouts: Sequence[Rollout], stage: ReinforcementStage) -> JudgedGroup:
    """Grade one problem's rollouts on its DAG."""
    family = FAMILIES[described["family"]]
    problem = family.from_json(described["problem"])
    grader = ProblemGrader(family, problem, build_dag(family, problem), stage, described["language"])
    return JudgedGroup(
        rollouts,
        [grader.outcome(r.answer, len(r.steps), r.well_formed) for r in rollouts],
        [grader.grade(r.steps) for r in rollouts],
        [r.well_formed and grader.is_right(r.answer) for r in rollouts],
    )


def group_figures(groups: Iterable[JudgedGroup]) -> dict[str, float]:
    """`rollout_figures` of several groups, and the share of them whose outcomes differ."""
    groups = list(groups)
    figures = rollout_figures(
        [rollout for group in groups for rollout in group.rollouts],
        [outcome for group in groups for outcome in group.outcomes],
        [record for group in groups for record in group.records],
        [right for group in groups for right in group.right],
    )
    mixed = sum(len(set(group.right)) > 1 for group in groups)
    return {**figures, "mixed_groups": mixed / len(groups)}
