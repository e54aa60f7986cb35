"""The numbers and strings that facts leave, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import kind_of
from steiner.server.intake.json_schema.lexemes import Lexeme, is_empty, string_lexeme
from steiner.server.intake.json_schema.numbers import SCALE, fraction_range, integer_bounds, integer_range
from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER, FREE_CHARACTER, quoted
from steiner.server.intake.json_schema.values import Literal, Multiples, Value, Word

MAX_LENGTH = 20_000
"""Of a string that is counted; a longer one than this is never written."""
MAX_LISTED = 200
ANY_STRING = Word(Lexeme((Condition(quoted(f"{FREE_CHARACTER}*")),)))


def raise_refusal(facts: Facts, kind: str, harmless: tuple[Any, ...]) -> None:
    """Raise the reason why a kind cannot be enforced, if there is one."""
    for value in facts.excluded:
        if kind in ("array", "object") and kind_of(value) == kind and value not in harmless:
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
    low, high = integer_bounds(*_bounds(facts, Fraction(1)))
    if low > high:
        return
    raise_refusal(facts, "integer", ())
    step = facts.step()
    excluded = [int(value) for value in facts.excluded if kind_of(value) == "integer"]
    if step is not None and step > 1:
        first, last = -(-low // int(step)) * int(step), high // int(step) * int(step)
        if first > last:
            return
        if (last - first) // int(step) < MAX_LISTED:
            for number in range(first, last + 1, int(step)):
                if number not in excluded:
                    yield Literal(str(number))
        elif excluded:
            raise SchemaRefusal(
                facts.pointers["excluded"],
                "that a multiple is not one certain number is not enforced; list the rest in enum",
            )
        else:
            yield Multiples(int(step), first, last)
        return
    conditions = [Condition(str(number), holds=False) for number in excluded]
    lexeme = Lexeme((Condition(integer_range(low, high)), *conditions))
    if not is_empty_lexeme(lexeme, facts):
        yield Word(lexeme)


def fractions(facts: Facts) -> Iterable[Value]:
    """Numbers that are no integers."""
    step = facts.step()
    if step is not None and step.denominator == 1:
        return
    regex = fraction_range(*_bounds(facts, Fraction(1, SCALE)))
    if regex is None:
        return
    raise_refusal(facts, "fraction", ())
    conditions = [Condition(regex)]
    if step is not None:
        endings = {str(float(step * part)).partition(".")[2] for part in range(1, step.denominator)}
        conditions.append(Condition(rf"-?[0-9]+\.(?:{'|'.join(sorted(endings))})"))
    conditions += [
        Condition(_plain(value).replace(".", "\\."), holds=False)
        for value in facts.excluded
        if kind_of(value) == "fraction"
    ]
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
    raise_refusal(facts, "string", ())
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


def is_empty_lexeme(lexeme: Lexeme, facts: Facts) -> bool:
    """Whether nothing fits a lexeme; SchemaRefusal where that cannot be told."""
    try:
        return is_empty(lexeme)
    except ValueError as error:
        raise SchemaRefusal(
            facts.pointers.get("string", ""), f"patterns and lengths are too large together ({error})"
        ) from error
