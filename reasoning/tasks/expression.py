"""Arithmetic as people write it, read exactly and never evaluated as code."""

import re
from collections.abc import Callable
from fractions import Fraction

MAX_CHARACTERS = 400
MAX_NESTING = 40
MAX_EXPONENT = 64
MAX_BITS = 4096
"""Largest numerator or denominator on the way to a value."""
# A number keeps its separators and its percent sign. The reader decides what they mean.
TOKEN = re.compile(r"[0-9](?:[0-9.,]*[0-9])?%?|\*\*|\S")

NumberReader = Callable[[str], Fraction]


def whole_number(token: str) -> Fraction:
    """The value of a token of ASCII digits.

    Raises:
        ValueError: it is something else.
    """
    if not (token.isascii() and token.isdigit()):
        raise ValueError(f"{token!r} is not a whole number")
    return Fraction(int(token))


def read_expression(text: str) -> tuple[Fraction, list[int]] | None:
    """The value of an expression of whole numbers, `+ - * /` and parentheses, and the numbers it uses.

    Returns:
        None if the text is not such an expression, divides by zero, or is longer than MAX_CHARACTERS.
    """
    used: list[int] = []

    def read_number(token: str) -> Fraction:
        value = whole_number(token)
        used.append(int(value))
        return value

    value = evaluate(text, read_number, has_signs=False, has_powers=False)
    return None if value is None else (value, used)


def evaluate(
    text: str, read_number: NumberReader, has_signs: bool = True, has_powers: bool = True
) -> Fraction | None:
    """The exact value of an infix expression over `+ - * / ( )`, by the usual precedence, left to right.

    Args:
        read_number: value of a number's token; raises ValueError if it is not one.
        has_signs: whether a number or parenthesis may carry a minus sign.
        has_powers: whether `^` and `**` are read, with whole exponents up to MAX_EXPONENT. Towers (`2^3^2`) and
            signed bases (`-2^2`) are not: people read them differently.

    Returns:
        None if the text is not such an expression, divides by zero, or is beyond the limits above.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return _Reader(TOKEN.findall(text), read_number, has_signs, has_powers).read()
    except (ValueError, ZeroDivisionError, RecursionError):
        return None


class _Reader:
    """Recursive descent; raises ValueError or ZeroDivisionError if there is no value."""

    def __init__(
        self, tokens: list[str], read_number: NumberReader, has_signs: bool, has_powers: bool
    ) -> None:
        self._tokens = tokens
        self._read_number = read_number
        self._has_signs = has_signs
        self._has_powers = has_powers
        self._position = 0
        self._nesting = 0

    def read(self) -> Fraction:
        value = self._sum()
        if self._position < len(self._tokens):
            raise ValueError(f"{self._peek()!r} where the expression should end")
        return value

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _sum(self) -> Fraction:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = _bounded(value + self._product() if self._take() == "+" else value - self._product())
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while self._peek() in ("*", "/"):
            value = _bounded(value * self._factor() if self._take() == "*" else value / self._factor())
        return value

    def _factor(self) -> Fraction:
        is_signed = self._has_signs and self._peek() == "-"
        if is_signed:
            self._take()
        value = self._atom()
        if not (self._has_powers and self._peek() in ("^", "**")):
            return -value if is_signed else value
        if is_signed:
            raise ValueError("the sign may belong to the base or to the power")
        self._take()
        is_inverse = self._has_signs and self._peek() == "-"
        if is_inverse:
            self._take()
        exponent = self._atom()
        if self._peek() in ("^", "**"):
            raise ValueError("a tower of powers")
        return _power(value, -exponent if is_inverse else exponent)

    def _atom(self) -> Fraction:
        token = self._take()
        if token != "(":
            return self._read_number(token)
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ValueError("nested too deeply")
        value = self._sum()
        self._nesting -= 1
        if self._take() != ")":
            raise ValueError("unclosed parenthesis")
        return value


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ValueError("too large a number")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT or (base == 0 and exponent == 0):
        raise ValueError("not a power that has one meaning")
    if max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent) > MAX_BITS:
        raise ValueError("too large a power")
    return Fraction(base ** int(exponent))
