"""Ranges of numbers as regular expressions, against the arithmetic of fractions."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.server.intake.json_schema.numbers import (
    DECIMALS,
    SCALE,
    fraction_range,
    integer_bounds,
    integer_range,
    multiples_by_ending,
)

INTEGERS = st.integers(-20, 20) | st.integers(-5000, 5000) | st.integers(-(10**30), 10**30)
WIDTHS = st.integers(0, 30) | st.integers(0, 10**6)
FRACTIONS = st.fractions(-3, 3, max_denominator=10**6) | st.fractions(-(10**6), 10**6, max_denominator=10**7)


def spelled(millionths: int) -> str:
    """The one spelling of a number that is no integer."""
    sign, size = "-" if millionths < 0 else "", abs(millionths)
    return f"{sign}{size // SCALE}.{size % SCALE:0{DECIMALS}d}".rstrip("0")


@settings(deadline=None)
@given(low=INTEGERS, width=WIDTHS, offset=st.integers(-40, 40), data=st.data())
def test_integers_between_bounds_and_no_others(
    low: int, width: int, offset: int, data: st.DataObject
) -> None:
    high = low + width
    range_ = re.compile(integer_range(low, high))
    for number in (low, high, low - 1, high + 1, low + offset, data.draw(st.integers(low, high))):
        assert bool(range_.fullmatch(str(number))) == (low <= number <= high), number


@pytest.mark.parametrize("text", ["-0", "00", "01", "+1", "1.0", "1e0", ""])
def test_an_integer_has_one_spelling(text: str) -> None:
    assert not re.fullmatch(integer_range(-(10**15), 10**15), text)


@settings(deadline=None)
@given(lower=FRACTIONS, width=st.fractions(0, 5, max_denominator=10**6), data=st.data())
def test_fractions_between_bounds_and_no_others(
    lower: Fraction, width: Fraction, data: st.DataObject
) -> None:
    upper = lower + width
    regex = fraction_range(lower, upper)
    first, last = int(lower * SCALE), int(upper * SCALE)
    offset = data.draw(st.integers(-5, 5))
    inside = data.draw(st.integers(min(first, last), max(first, last)))
    for millionths in (first + offset, last + offset, inside, inside // 1000 * 1000):
        if millionths % SCALE == 0:
            continue
        fits = regex is not None and re.fullmatch(regex, spelled(millionths)) is not None
        assert fits == (lower <= Fraction(millionths, SCALE) <= upper), millionths


@pytest.mark.parametrize("text", ["1.50", "1.0", "0.0", ".5", "1.", "-0.0", "1.1234567", "01.5", "1.5e1"])
def test_a_fraction_has_one_spelling(text: str) -> None:
    regex = fraction_range(None, None)
    assert regex is not None
    assert not re.fullmatch(regex, text)


def test_there_are_no_fractions_between_an_integer_and_itself() -> None:
    assert fraction_range(Fraction(5), Fraction(5)) is None


@given(step=st.sampled_from([2, 4, 5, 8, 10, 20, 25, 50, 100, 125, 250, 1000, 10**9]), number=INTEGERS)
def test_multiples_by_their_last_digits(step: int, number: int) -> None:
    regex = multiples_by_ending(step)
    assert regex is not None
    for candidate in (number, number * step, number * step + 1):
        assert bool(re.fullmatch(regex, str(candidate))) == (candidate % step == 0), candidate


@pytest.mark.parametrize("step", [3, 7, 60, 1024, 10**9 + 1])
def test_other_multiples_are_not_told_by_digits(step: int) -> None:
    assert multiples_by_ending(step) is None


def test_a_bound_that_is_missing_leaves_room() -> None:
    low, high = integer_bounds(None, None)
    assert (low, high) == (1 - 10**15, 10**15 - 1)
    low, high = integer_bounds(Fraction(10**30), None)
    assert (low, high > 10**31) == (10**30, True)
    low, high = integer_bounds(None, Fraction(5, 2))
    assert (low, high) == (1 - 10**15, 2)
    assert integer_bounds(None, None, Fraction(10**20))[1] >= 100 * 10**20
