"""95 % intervals of shares, even if each problem was answered several times."""

import math
from collections.abc import Sequence

Z = 1.96


def wilson_interval(share: float, num: float, z: float = Z) -> tuple[float, float]:
    """Score interval of a binomial share (Wilson, 1927).

    Args:
        num: independent answers; an effective number need not be whole.
    """
    centre = (share + z * z / (2 * num)) / (1 + z * z / num)
    half = wilson_half_width(share, num, z)
    return max(0.0, centre - half), min(1.0, centre + half)


def wilson_half_width(share: float, num: float, z: float = Z) -> float:
    """Half of the Wilson score interval of a binomial share."""
    return z * math.sqrt(share * (1 - share) / num + z * z / (4 * num * num)) / (1 + z * z / num)


def effective_answers(shares: Sequence[float], num_answers: int) -> float:
    """How many independent answers would tell as much as several answers to each problem.

    Answers to one problem are alike, so counting each as independent makes an interval too narrow. The variance between
    problems gives the number that counts, as for clustered samples (Dean and Pagano, 2015, "Evaluating confidence
    interval methods for binomial proportions in clustered surveys").

    Args:
        shares: of right answers, one a problem.
        num_answers: to all problems.

    Returns:
        Between the number of problems and the number of answers.
    """
    num = len(shares)
    if num_answers == num:
        return num
    mean = sum(shares) / num
    between = sum((share - mean) ** 2 for share in shares)
    if num < 2 or between == 0:
        # Nothing shows that answers to one problem differ, so each problem counts once.
        return num
    variance_of_mean = between / (num - 1) / num
    return min(max(mean * (1 - mean) / variance_of_mean, num), num_answers)


def mean_interval(shares: Sequence[float], num_answers: int | None = None) -> tuple[float, float]:
    """Interval of the mean of per-problem shares.

    Args:
        shares: of right answers, one a problem.
        num_answers: to all problems; one to each if not given.
    """
    answers = len(shares) if num_answers is None else num_answers
    return wilson_interval(sum(shares) / len(shares), effective_answers(shares, answers))
