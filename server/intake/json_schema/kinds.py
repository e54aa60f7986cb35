"""The kinds of JSON values, and when two values are equal.

https://json-schema.org/draft/2020-12/json-schema-core#name-instance-data-model
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

KINDS = ("null", "boolean", "integer", "fraction", "string", "array", "object")
"""Of values; a fraction is a number that is no integer."""
KINDS_OF_TYPE = {"number": ("integer", "fraction")} | {kind: (kind,) for kind in KINDS if kind != "fraction"}


def kind_of(value: object) -> str:
    """The kind of a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "fraction"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def key_of(value: object) -> Hashable:
    """What equal JSON values share, and no others: `1` is `1.0`, and `true` is not `1`."""
    match value:
        case int() | float() if kind_of(value) == "integer":
            return "integer", int(value)
        case list():
            return "array", tuple(map(key_of, value))
        case dict():
            return "object", frozenset((name, key_of(one)) for name, one in value.items())
        case _:
            return kind_of(value), value


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal."""
    return key_of(one) == key_of(other)


def exact(number: float) -> Fraction:
    """A number as it was written: 0.1 is a tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))
