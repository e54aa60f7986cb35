"""Exploration and exploitation of a batch of searches, in figures."""

from collections.abc import Sequence

from steiner.training.rl.grade import SearchRecord
from steiner.training.rl.rollout import Rollout


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
