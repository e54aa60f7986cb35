"""Paired tests between two models, or two conditions, on the same problems.

Accuracy over the reasoning budget is such a comparison: it shows whether more reasoning ever costs accuracy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from scipy import stats

from steiner.reasoning.errors import SteinerError
from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.score import right_shares, score

RESAMPLES = 9_999
SEED = 0

Test = Literal["exact McNemar", "sign-flip permutation"]
Shares = Mapping[tuple[str, str], float]

SIGNIFICANT = 0.05


class UnpairedError(SteinerError):
    """The two sides were not asked the same problems."""


@dataclass(frozen=True, slots=True)
class Paired:
    """How much more often the first of two is right on the same problems.

    Attributes:
        difference: accuracy of the first minus that of the second.
        difference_low: lower end of its 95 % interval, from a bootstrap over problems.
        only_first: problems that the first solves more often.
        p_value: two-sided, of no difference; not adjusted for several comparisons.
        test: McNemar's exact test if each side answered each problem once, else a permutation test that flips the
            signs of the differences, problem by problem.
    """

    num_problems: int
    first: float
    second: float
    difference: float
    difference_low: float
    difference_high: float
    only_first: int
    only_second: int
    p_value: float
    test: Test

    def as_json(self) -> dict[str, float | str]:
        """Rounded; p-values to three digits."""
        rounded = {n: round(v, 4) if isinstance(v, float) else v for n, v in asdict(self).items()}
        return rounded | {"p_value": float(f"{self.p_value:.3g}")}


def compare(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, Paired]:
    """By family, and for "all" if there are several.

    Raises:
        UnpairedError: only one side was asked a problem.
    """
    return compare_shares(right_shares(first), right_shares(second))


def compare_shares(first: Shares, second: Shares) -> dict[str, Paired]:
    """The same for shares of right answers, by family and prompt."""
    if not first or first.keys() != second.keys():
        raise UnpairedError(
            f"Not the same problems: {len(first.keys() - second.keys())} of the first's {len(first)} were not asked of "
            f"the second, {len(second.keys() - first.keys())} of its {len(second)} not of the first. Evaluate both "
            "with the same --seed and --per-family."
        )
    families = dict.fromkeys(family for family, _ in first)
    rows = {family: [key for key in first if key[0] == family] for family in families}
    if len(rows) > 1:
        rows["all"] = list(first)
    return {
        name: paired([first[key] for key in keys], [second[key] for key in keys])
        for name, keys in rows.items()
    }


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compare two sides' shares of right answers, one for each problem, in the same order."""
    differences = np.subtract(first, second)
    only_first, only_second = int((differences > 0).sum()), int((differences < 0).sum())
    once = all(share in (0, 1) for share in (*first, *second))
    test: Test = "exact McNemar" if once else "sign-flip permutation"
    low, high = _bootstrap_interval(differences)
    return Paired(
        num_problems=len(differences),
        first=float(np.mean(first)),
        second=float(np.mean(second)),
        difference=float(differences.mean()),
        difference_low=low,
        difference_high=high,
        only_first=only_first,
        only_second=only_second,
        p_value=_mcnemar(only_first, only_second) if once else _permutation(differences),
        test=test,
    )


def _mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact test (McNemar, 1947): a fair coin falls for each problem on which the two sides differ."""
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def _permutation(differences: np.ndarray) -> float:
    if not differences.any():
        return 1.0
    tested = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1_000,
        rng=np.random.default_rng(SEED),
    )
    return float(tested.pvalue)


def _bootstrap_interval(differences: np.ndarray) -> tuple[float, float]:
    if len(differences) < 2:
        return -1.0, 1.0
    drawn = stats.bootstrap(
        (differences,),
        np.mean,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1_000,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


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
