"""Ranges of numbers as regular expressions over their decimal spelling.

An integer has one spelling (`-7`, never `-7.0` or `7e0`), and so has a number that is none: at most six digits behind
the point, the last of them not 0. Up to fifteen digits a double keeps apart what the decimals keep apart, so that a
reader with doubles finds every bound kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

MAX_DIGITS = 15
"""Of an integer without a bound."""
MAX_ENDINGS = 200
"""By which multiples are told."""
DECIMALS = 6
SCALE = 10**DECIMALS
LARGEST_FRACTION = 10 ** (MAX_DIGITS - DECIMALS) * SCALE - 1
"""In millionths."""


def integer_bounds(
    lower: Fraction | None, upper: Fraction | None, step: Fraction = Fraction(1)
) -> tuple[int, int]:
    """First and last integer; a bound that is missing is so far away that it seldom matters.

    Args:
        lower: the least number that is allowed, inclusive; None for no bound.
        upper: the greatest.
        step: what the integers are to be multiples of; there are to be some hundreds of them.
    """
    low = None if lower is None else _ceil(lower)
    high = None if upper is None else upper.numerator // upper.denominator
    far = max(10**MAX_DIGITS - 1, 1000 * (step.numerator // step.denominator))
    first, last = low, high
    if first is None:
        first = -far if high is None else min(-far, -(10 ** (len(str(abs(high))) + 1)))
    if last is None:
        last = far if low is None else max(far, 10 ** (len(str(abs(low))) + 1))
    return first, last


def multiples_by_ending(step: int) -> str | None:
    """The multiples of a number that some last digits tell; None where they do not, or by too many endings.

    Numbers have their one spelling; a regular expression for other texts is of no meaning.
    """
    power = next((10**digits for digits in range(len(str(step)) + 4) if 10**digits % step == 0), None)
    if power is None or power // step > MAX_ENDINGS or len(str(power)) > MAX_DIGITS:
        return None
    num_digits = len(str(power)) - 1
    multiples = range(0, power, step)
    long = "|".join(f"{number:0{num_digits}d}" for number in multiples)
    return f"-?(?:[0-9]+(?:{long})|{'|'.join(map(str, multiples))})"


def integer_range(low: int, high: int) -> str:
    """The integers from `low` to `high`, both included; low <= high."""
    parts: list[str] = []
    if low < 0:
        parts.append(f"-(?:{_positive(max(1, -high), -low)})")
    if high >= 0:
        if low <= 0:
            parts.append("0")
        if high >= 1:
            parts.append(_positive(max(1, low), high))
    return f"(?:{'|'.join(parts)})"


def fraction_range(lower: Fraction | None, upper: Fraction | None) -> str | None:
    """The numbers between two bounds (both included) that are no integers; None where there are none."""
    low = -LARGEST_FRACTION if lower is None else max(-LARGEST_FRACTION, _ceil(lower * SCALE))
    scaled = None if upper is None else upper * SCALE
    high = LARGEST_FRACTION
    if scaled is not None:
        high = min(high, scaled.numerator // scaled.denominator)
    parts: list[str] = []
    if low < 0 and low <= high:
        negative = _positive_fractions(max(1, -high), -low)
        parts += [f"-(?:{negative})"] if negative else []
    if high > 0 and low <= high:
        positive = _positive_fractions(max(1, low), high)
        parts += [positive] if positive else []
    return f"(?:{'|'.join(parts)})" if parts else None


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _positive(low: int, high: int) -> str:
    """1 <= low <= high."""
    parts = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (length - 1)), min(high, 10**length - 1)
        parts.append(_same_length(str(first), str(last)))
    return f"(?:{'|'.join(parts)})"


def _same_length(low: str, high: str) -> str:
    """Digits between two texts of one length."""
    if not low:
        return ""
    if set(low) == {"0"} and set(high) == {"9"}:
        return _digits(len(low))
    if low[0] == high[0]:
        return low[0] + _same_length(low[1:], high[1:])
    rest = len(low) - 1
    first, last = int(low[0]), int(high[0])
    parts = []
    if set(low[1:]) - {"0"}:
        parts.append(low[0] + _same_length(low[1:], "9" * rest))
        first += 1
    if set(high[1:]) - {"9"}:
        parts.append(high[0] + _same_length("0" * rest, high[1:]))
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}]{_digits(rest)}")
    return f"(?:{'|'.join(parts)})"


def _digits(number: int) -> str:
    return f"[0-9]{{{number}}}" if number else ""


def _positive_fractions(low: int, high: int) -> str | None:
    """From `low` to `high` millionths, whole ones left out; 1 <= low <= high."""
    first, last = low // SCALE, high // SCALE
    parts = list[str]()
    if first == last:
        parts += _with_decimals(first, low % SCALE, high % SCALE)
    else:
        parts += _with_decimals(first, low % SCALE, SCALE - 1)
        if last - first > 1:
            parts.append(
                f"{integer_range(first + 1, last - 1)}\\.{_decimals('0' * DECIMALS, '9' * DECIMALS)}"
            )
        parts += _with_decimals(last, 0, high % SCALE)
    return "|".join(parts) if parts else None


def _with_decimals(whole: int, low: int, high: int) -> Iterator[str]:
    if high:
        decimals = _decimals(f"{max(low, 1):0{DECIMALS}d}", f"{high:0{DECIMALS}d}")
        yield f"{whole}\\.{decimals}"


def _decimals(low: str, high: str) -> str:
    """Digits behind the point that lie between two full texts of them and do not end in 0."""
    parts = []
    rest = len(low) - 1
    if not set(low[:-1]) - {"0"} and low[-1] in "01" and not set(high) - {"9"}:
        return f"(?:[0-9]{{0,{rest}}}[1-9])"
    for digit in range(int(low[0]), int(high[0]) + 1):
        at_low, at_high = digit == int(low[0]), digit == int(high[0])
        below = low[1:] if at_low else "0" * rest
        above = high[1:] if at_high else "9" * rest
        may_end = digit > 0 and not set(below) - {"0"}
        may_go_on = rest > 0 and bool(set(above) - {"0"})
        if may_go_on:
            # Behind a digit that may end the number, less than nothing more is already in.
            more = _decimals(below if set(below) - {"0"} else "0" * (rest - 1) + "1", above)
            parts.append(f"{digit}(?:{more})?" if may_end else f"{digit}(?:{more})")
        elif may_end:
            parts.append(str(digit))
    return f"(?:{_joined(parts)})"


def _joined(parts: list[str]) -> str:
    """Alternatives, those that differ in their first digit alone written as one class."""
    by_rest: dict[str, list[str]] = {}
    for part in parts:
        by_rest.setdefault(part[1:], []).append(part[0])
    return "|".join(
        (f"[{''.join(digits)}]" if len(digits) > 1 else digits[0]) + rest for rest, digits in by_rest.items()
    )
