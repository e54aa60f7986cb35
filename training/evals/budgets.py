"""Accuracy over the reasoning budget, and whether more reasoning ever costs accuracy."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.compare import compare
from steiner.training.evals.score import score

SIGNIFICANT = 0.05


def budget_report(by_steps: Mapping[int, Sequence[Outcome]]) -> list[dict[str, Any]]:
    """A row for each limit on steps, in rising order, with a score for each family.

    Each row but the first names under `fell` the families whose accuracy is lower than at the limit before by more than
    chance: by a paired test on the same problems, at 5 %.
    """
    rows: list[dict[str, Any]] = []
    for steps, outcomes in sorted(by_steps.items()):
        families = dict.fromkeys(outcome.family for outcome in outcomes)
        scores = {f: score([o for o in outcomes if o.family == f]).as_json() for f in families}
        rows.append({"max_steps": steps, **scores})
    for (fewer, more), row in zip(pairwise(sorted(by_steps)), rows[1:], strict=True):
        tests = compare(by_steps[fewer], by_steps[more])
        row["fell"] = [
            name
            for name, test in tests.items()
            if name != "all" and test.difference > 0 and test.p_value < SIGNIFICANT
        ]
    return rows
