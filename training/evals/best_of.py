"""Best-of-n by parallel sampling: what several answers are worth, and how that compares with search at equal tokens.

Tokens are completion tokens, reasoning and answer together. Prompts, which parallel samples share, are not counted. A
majority votes over the text of the answers, and ties are broken at random. Any-of-n lets the exact checker choose, so
it is an oracle: it shows what sampling could reach with a perfect judge, which no model has.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.compare import paired
from steiner.training.evals.intervals import mean_interval

DRAWS = 200
"""How many subsets of the samples a majority is averaged over, for each problem."""
SIGNIFICANT = 0.05

Problem = tuple[str, str]
Samples = Mapping[Problem, Sequence[Outcome]]


def samples_of(outcomes: Sequence[Outcome]) -> Samples:
    """The answers to each problem."""
    samples: dict[Problem, list[Outcome]] = {}
    for outcome in outcomes:
        samples.setdefault((outcome.family, outcome.prompt), []).append(outcome)
    return samples


def any_of(samples: Sequence[Outcome], n: int) -> float:
    """Chance that one of n samples is right, without bias (Chen et al., 2021, arXiv 2107.03374, equation 1)."""
    wrong = sum(not sample.right for sample in samples)
    return 1 - math.comb(wrong, n) / math.comb(len(samples), n)


def majority_of(samples: Sequence[Outcome], n: int, rng: random.Random) -> float:
    """Chance that the most frequent answer of n samples is right, over random subsets."""
    if n == len(samples):
        return _vote(samples)
    return sum(_vote(rng.sample(samples, n)) for _ in range(DRAWS)) / DRAWS


def _vote(samples: Sequence[Outcome]) -> float:
    votes = Counter(sample.answer for sample in samples)
    right = {sample.answer: sample.right for sample in samples}
    most = max(votes.values())
    winners = [answer for answer, count in votes.items() if count == most]
    return sum(right[answer] for answer in winners) / len(winners)


def best_of(samples: Samples, n: int) -> tuple[list[float], list[float]]:
    """Chances of a right answer by majority and by any-of-n, one for each problem.

    Raises:
        ValueError: a problem has fewer than n samples.
    """
    if (fewest := min(map(len, samples.values()))) < n:
        raise ValueError(f"Best of {n} needs as many samples of every problem; one has {fewest}.")
    rng = random.Random(f"best of {n}")
    majorities = [majority_of(answers, n, rng) for answers in samples.values()]
    return majorities, [any_of(answers, n) for answers in samples.values()]


def curve(samples: Samples, more: Sequence[int] = ()) -> list[dict[str, float]]:
    """Accuracy over n, for the powers of two and the number of samples, and over the tokens that n samples take."""
    limit = min(map(len, samples.values()))
    powers = [2**k for k in range(limit.bit_length()) if 2**k <= limit]
    return [_point(samples, n) for n in sorted({*powers, limit, *(n for n in more if n <= limit)})]


def _point(samples: Samples, n: int) -> dict[str, float]:
    majorities, anys = best_of(samples, n)
    point: dict[str, float] = {"n": n, "mean_completion_tokens": round(n * mean_tokens(samples), 1)}
    for name, shares in (("majority", majorities), ("any", anys)):
        low, high = mean_interval(shares)
        point |= {name: float(np.mean(shares)), f"{name}_low": low, f"{name}_high": high}
    return {name: round(value, 4) for name, value in point.items()}


def mean_tokens(samples: Samples) -> float:
    """Completion tokens of one sample."""
    return float(np.mean([sample.completion_tokens for answers in samples.values() for sample in answers]))


def best_of_report(
    search: Sequence[Outcome], sampled_search: Sequence[Outcome], baselines: Mapping[str, Sequence[Outcome]]
) -> dict[str, Any]:
    """By family: the search once, its own best-of-n, each baseline's, and the pairing at equal tokens.

    Args:
        search: one greedy answer to each problem.
        sampled_search: several answers of the same model.
        baselines: by style, several answers to the same problems of models that do not search.
    """
    families = dict.fromkeys(outcome.family for outcome in search)
    return {
        family: _of_family(
            samples_of([o for o in search if o.family == family]),
            samples_of([o for o in sampled_search if o.family == family]),
            {
                style: samples_of([o for o in outcomes if o.family == family])
                for style, outcomes in baselines.items()
            },
        )
        for family in families
    }


def _of_family(search: Samples, sampled: Samples, baselines: Mapping[str, Samples]) -> dict[str, Any]:
    tokens = mean_tokens(search)
    once, _ = best_of(search, 1)
    low, high = mean_interval(once)
    report: dict[str, Any] = {
        "search": {
            "mean_completion_tokens": round(tokens, 1),
            "accuracy": round(float(np.mean(once)), 4),
            "accuracy_low": round(low, 4),
            "accuracy_high": round(high, 4),
        },
        "search, sampled": curve(sampled),
        "equal_tokens": {},
    }
    for style, samples in baselines.items():
        n = equal_n(samples, tokens)
        report[style] = curve(samples, [n])
        report["equal_tokens"][style] = _at_equal_tokens(search, samples, n, tokens)
    return report


def equal_n(samples: Samples, tokens: float) -> int:
    """How many samples take about as many tokens as one search; at least one, at most all."""
    return min(max(1, round(tokens / mean_tokens(samples))), min(map(len, samples.values())))


def _at_equal_tokens(search: Samples, samples: Samples, n: int, tokens: float) -> dict[str, Any]:
    """The search against best-of-n on the same problems; which of the two is ahead beyond chance."""
    majorities, anys = best_of({problem: samples[problem] for problem in search}, n)
    once = [float(answers[0].right) for answers in search.values()]
    compared: dict[str, Any] = {
        "n": n,
        "tokens_of_search": round(tokens, 1),
        "tokens_of_samples": round(n * mean_tokens(samples), 1),
    }
    for name, shares in (("majority", majorities), ("any", anys)):
        test = paired(once, shares)
        ahead = "neither"
        if test.p_value < SIGNIFICANT:
            ahead = "search" if test.difference > 0 else "sampling"
        compared[name] = test.as_json() | {"ahead": ahead}
    return compared
