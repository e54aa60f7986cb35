"""Arithmetic answers, read exactly and never evaluated as code."""

import re
from fractions import Fraction

MAX_CHARACTERS = 400


def read_expression(text: str) -> tuple[Fraction, list[int]] | None:
    """The value of an expression of whole numbers, `+ - * /` and parentheses, and the numbers it uses.

    Returns:
        None where the text is no such expression, divides by zero, or is longer than MAX_CHARACTERS.
    """
    return _Reader(text).read()


class _Reader:
    """Recursive descent over `+ - * / ( )` and whole numbers, exact in fractions; nothing is evaluated as code."""

    def __init__(self, text: str) -> None:
        self._tokens = re.findall(r"[0-9]+|\S", text) if len(text) <= MAX_CHARACTERS else []
        self._position = 0
        self._used: list[int] = []

    def read(self) -> tuple[Fraction, list[int]] | None:
        """Value and the numbers used, or None where the text is no expression."""
        try:
            value = self._sum()
        except (ValueError, ZeroDivisionError, RecursionError):
            return None
        return (value, self._used) if self._position == len(self._tokens) else None

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _sum(self) -> Fraction:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = value + self._product() if self._take() == "+" else value - self._product()
        return value

    def _product(self) -> Fraction:
        value = self._atom()
        while self._peek() in ("*", "/"):
            value = value * self._atom() if self._take() == "*" else value / self._atom()
        return value

    def _atom(self) -> Fraction:
        token = self._take()
        if token == "(":
            value = self._sum()
            if self._take() != ")":
                raise ValueError("unclosed parenthesis")
            return value
        if not token.isascii():
            raise ValueError("a digit of another script")
        self._used.append(int(token))
        return Fraction(self._used[-1])
