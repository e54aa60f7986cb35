"""Intervals of shares: textbook values, and what several answers to a problem are worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.training.evals.intervals import (
    effective_answers,
    mean_interval,
    wilson_half_width,
    wilson_interval,
)


def test_the_interval_is_wilsons() -> None:
    # 50 of 100: (0.4038, 0.5962), a textbook value.
    assert wilson_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson_half_width(0.5, 100) == pytest.approx(0.0962, abs=1e-4)
    # 10 of 10: (0.7225, 1).
    assert wilson_interval(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_answers_that_never_differ_count_once_a_problem() -> None:
    assert effective_answers([1.0, 0.0] * 50, 300) == pytest.approx(100, rel=0.02)
    assert effective_answers([1.0] * 100, 300) == 100


def test_answers_that_are_independent_all_count() -> None:
    # One right of two everywhere: problems differ less than chance would have it.
    assert effective_answers([0.5] * 49 + [0.0, 1.0], 102) == 102


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60))
def test_more_answers_never_widen_and_problems_bound_them(rights: list[int]) -> None:
    shares = [right / 3 for right in rights]
    assert len(shares) <= effective_answers(shares, 3 * len(shares)) <= 3 * len(shares)
    low, high = mean_interval(shares, 3 * len(shares))
    assert 0 <= low <= sum(shares) / len(shares) + 1e-9
    assert sum(shares) / len(shares) - 1e-9 <= high <= 1
