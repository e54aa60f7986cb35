"""The numbers and strings that facts leave, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from steiner.server.intake.json_schema.alternation import one_of_texts
from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import kind_of
from steiner.server.intake.json_schema.lexemes import Lexeme, is_empty, string_lexeme
from steiner.server.intake.json_schema.numbers import (
    MAX_DIGITS,
    SCALE,
    fraction_range,
    integer_bounds,
    integer_range,
    multiples_by_ending,
)
from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER, FREE_CHARACTER, quoted
from steiner.server.intake.json_schema.values import Literal, Multiples, Value, Word

MAX_LENGTH = 20_000
"""Of a string that is counted; a longer one than this is never written."""
_OF_LEXEMES = ("string", "multiple", "number", "excluded", "members")
MAX_LISTED = 1_000
"""Multiples that are written one by one."""
MAX_STEP = 100
"""Of multiples that are counted: a state for each remainder at each digit."""
FARTHEST = 10**MAX_DIGITS - 1
ANY_STRING = Word(Lexeme((Condition(quoted(f"{FREE_CHARACTER}*")),)))


def raise_refusal(facts: Facts, kind: str) -> None:
    """Raise the reason why a kind cannot be enforced, if there is one."""
    if kind in ("array", "object") and kind in map(kind_of, facts.excluded.values()):
        raise SchemaRefusal(
            facts.pointers["excluded"], f"that a value is not one certain {kind} is not enforced"
        )
    if kind in facts.refused:
        raise facts.refused[kind]


def _bounds(facts: Facts, margin: Fraction) -> tuple[Fraction | None, Fraction | None]:
    """Inclusive bounds of numbers that are multiples of a margin."""
    lower, upper = facts.lower, facts.upper
    if lower is not None and facts.lower_excluded:
        lower = (lower // margin + 1) * margin
    if upper is not None and facts.upper_excluded:
        upper = -((-upper) // margin + 1) * margin
    return lower, upper


def integers(facts: Facts) -> Iterable[Value]:
    """Those that are left."""
    low, high = integer_bounds(*_bounds(facts, Fraction(1)), facts.step() or Fraction(1))
    if low > high:
        return
    raise_refusal(facts, "integer")
    step = facts.step()
    if facts.farthest_multiple is not None:
        low, high = max(low, -facts.farthest_multiple), min(high, facts.farthest_multiple)
        if low > high:
            reason = "multiples of a double are enforced up to 15 digits; write it as an integer"
            raise SchemaRefusal(facts.pointers["multiple"], reason)
    excluded = {int(value) for value in facts.excluded.values() if kind_of(value) == "integer"}
    conditions = [Condition(integer_range(low, high))]
    if step is not None and step > 1:
        multiple = int(step)
        first, last = -(-low // multiple) * multiple, high // multiple * multiple
        if (last - first) // multiple < MAX_LISTED:
            listed = (number for number in range(first, last + 1, multiple) if number not in excluded)
            yield from (Literal(str(number)) for number in listed)
            return
        ending = multiples_by_ending(multiple)
        if ending is None:
            yield _multiples(facts, multiple, low, high)
            return
        conditions.append(Condition(ending))
    if excluded:
        conditions.append(Condition(one_of_texts(map(str, excluded)), holds=False))
    lexeme = Lexeme(tuple(conditions))
    if not is_empty_lexeme(lexeme, facts):
        yield Word(lexeme)


def _multiples(facts: Facts, step: int, low: int, high: int) -> Multiples:
    """Those that no ending tells, for llguidance to count."""
    if any(kind_of(value) == "integer" for value in facts.excluded.values()):
        raise SchemaRefusal(
            facts.pointers["excluded"],
            "that a multiple is not one certain number is not enforced; list the rest in enum",
        )
    first, last = -(-max(low, -FARTHEST) // step) * step, min(high, FARTHEST) // step * step
    if step > MAX_STEP or first > last:
        raise SchemaRefusal(
            facts.pointers["multiple"],
            f"steps up to {MAX_STEP}, and those that divide a power of ten, are enforced, or fewer than {MAX_LISTED} "
            "multiples; lower it, or set nearer bounds",
        )
    return Multiples(step, first, last)


def fractions(facts: Facts) -> Iterable[Value]:
    """Numbers that are no integers."""
    step = facts.step()
    if step is not None and step.denominator == 1:
        return
    regex = fraction_range(*_bounds(facts, Fraction(1, SCALE)))
    if regex is None:
        return
    raise_refusal(facts, "fraction")
    conditions = [Condition(regex)]
    if step is not None:
        endings = {str(float(step * part)).partition(".")[2] for part in range(1, step.denominator)}
        conditions.append(Condition(rf"-?[0-9]+\.(?:{'|'.join(sorted(endings))})"))
    excluded = [_plain(value) for value in facts.excluded.values() if kind_of(value) == "fraction"]
    if excluded:
        conditions.append(Condition(one_of_texts(excluded), holds=False))
    lexeme = Lexeme(tuple(conditions))
    if not is_empty_lexeme(lexeme, facts):
        yield Word(lexeme)


def _plain(value: float) -> str:
    """A number without an exponent."""
    return f"{value:.20f}".rstrip("0") if "e" in repr(value) else repr(value)


def strings(facts: Facts) -> Iterable[Value]:
    """Those that are left."""
    if facts.max_length is not None and facts.max_length < facts.min_length:
        return
    raise_refusal(facts, "string")
    conditions = (*facts.string_conditions(), *facts.excluded_strings())
    if not conditions:
        if not facts.min_length and facts.max_length is None:
            yield ANY_STRING
        else:
            yield Word(string_lexeme(length_conditions(facts, FREE_CHARACTER)))
        return
    lexeme = string_lexeme((Condition(ANYTHING), *conditions, *length_conditions(facts, ANY_CHARACTER)))
    if not is_empty_lexeme(lexeme, facts):
        yield Word(lexeme)


def length_conditions(facts: Facts, character: str) -> tuple[Condition, ...]:
    """Of a string's content."""
    if facts.min_length > MAX_LENGTH:
        raise SchemaRefusal(
            facts.pointers["string"],
            f"strings of more than {MAX_LENGTH} characters are not enforced; lower minLength",
        )
    if not facts.min_length and facts.max_length is None:
        return ()
    most = "" if facts.max_length is None else min(facts.max_length, MAX_LENGTH)
    return (Condition(f"(?:{character}){{{facts.min_length},{most}}}"),)


def is_empty_lexeme(lexeme: Lexeme, facts: Facts, pointer: str = "") -> bool:
    """Whether nothing fits a lexeme.

    Args:
        pointer: for errors, where the facts have none.

    Raises:
        SchemaRefusal: that cannot be told.
    """
    try:
        return is_empty(lexeme)
    except ValueError as error:
        pointer = next((facts.pointers[name] for name in _OF_LEXEMES if name in facts.pointers), pointer)
        raise SchemaRefusal(pointer, f"with the rest it is too large to be followed ({error})") from error
