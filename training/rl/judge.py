"""Rollouts with what they earned: outcome, graded steps, and an advantage for every token."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from steiner.training.dags.search import build_dag
from steiner.training.data.kinds import ProblemRecord
from steiner.training.problems import FAMILIES
from steiner.training.rl.advantage import token_advantages
from steiner.training.rl.config import ReinforcementStage
from steiner.training.rl.figures import rollout_figures
from steiner.training.rl.grade import ProblemGrader, SearchRecord
from steiner.training.rl.rollout import Rollout


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
        """Of every token of each completion."""
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
