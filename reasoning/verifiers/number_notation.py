"""Numbers as text: `1,234.5` in English, `1.234,5` in much of the world."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MAX_DIGITS = 40
MAX_WRITTEN = 40


@dataclass(frozen=True, slots=True)
class Number:
    """A number and its precision: `unit` is one in its last place."""

    value: Fraction
    unit: Fraction

    @property
    def is_whole(self) -> bool:
        """Without decimals and without a percent sign."""
        return self.unit == 1


class NumberNotation:
    """Which mark stands before the decimals and which between the thousands."""

    def __init__(self, decimal_mark: str, thousands_mark: str) -> None:
        thousands, decimal = re.escape(thousands_mark), re.escape(decimal_mark)
        self._thousands_mark = thousands_mark
        self._pattern = re.compile(
            rf"([1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+|0|[1-9][0-9]*)(?:{decimal}([0-9]+))?"
        )

    def read(self, token: str) -> Number:
        """A number without a sign, perhaps a percentage.

        Raises:
            ValueError: it is not one in this notation, has leading zeros (as dates and codes do) or too many digits.
        """
        match = self._pattern.fullmatch(token.removesuffix("%"))
        if match is None or len(token) > MAX_DIGITS:
            raise ValueError(f"{token!r} is not a number in this notation")
        decimals = match[2] or ""
        whole = match[1].replace(self._thousands_mark, "")
        scale = 10 ** len(decimals) * (100 if token.endswith("%") else 1)
        return Number(Fraction(int(whole + decimals), scale), Fraction(1, scale))


ENGLISH = NumberNotation(".", ",")
CONTINENTAL = NumberNotation(",", ".")


def written(value: Fraction) -> str:
    """A whole number or a short decimal if it is one, else a fraction; a very long one is rounded."""
    if 10**12 % value.denominator == 0:
        return decimal(value)
    text = str(value)
    return text if len(text) <= MAX_WRITTEN else _rounded(value)


def decimal(value: Fraction) -> str:
    """A whole number or a decimal, cut after four places if it would not end soon."""
    whole, rest = divmod(abs(value), 1)
    places = f"{int(rest * 10**12):012d}"
    decimals = places.rstrip("0") if 10**12 % value.denominator == 0 else f"{places[:4]}..."
    text = f"{'-' if value < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"
    return text if len(text) <= MAX_WRITTEN else _rounded(value)


def _rounded(value: Fraction) -> str:
    return f"about {Decimal(value.numerator) / Decimal(value.denominator):.3g}"
