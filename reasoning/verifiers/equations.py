"""Equations in running text: which of them can be judged, and the first that is wrong.

A wrong refutation costs more than a missed one. So an equation counts only where its whole clause is understood:
words that lead up to a statement, then numbers, operators and `=`, then the end of the clause.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise

from steiner.reasoning.tasks.expression import MAX_CHARACTERS, TOKEN, evaluate
from steiner.reasoning.verifiers.number_notation import (
    CONTINENTAL,
    ENGLISH,
    Number,
    NumberNotation,
    decimal,
    written,
)

UNICODE_OPERATORS = str.maketrans(
    {"\u00d7": "*", "\u22c5": "*", "\u00b7": "*", "\u2219": "*", "\u00f7": "/", "\u2215": "/", "\u2212": "-"}
)
# fmt: off
LEAD_INS = frozenset((
    "also", "calculate", "compute", "evaluate", "finally", "find", "first", "get", "gives", "have", "is", "next",
    "note", "now", "obtain", "that", "try", "use", "we", "yields",
))
# fmt: on
"""Words that may stand right before an equation. After others (`plus`, `half of`, `by`) it may be part of more."""
# A point or comma inside a number has no blank after it.
BREAK = re.compile(
    r"\n|[.,;:](?=\s|$)|\b(?:and )?(?:so|then|thus|hence|therefore|because|since|which)\b", re.IGNORECASE
)
LABEL = re.compile(r"\b(?:step|part|case|line|equation) [0-9]+$", re.IGNORECASE)
EQUATION = re.compile(r"[0-9.,+\-*/^()=%\s]+")
SIGNED_NUMBER = re.compile(r"\s*-?([0-9.,]+%?)\s*")
LEFT_OF_EQUALS = re.compile(r"[0-9(][0-9.,+\-*/^() \t]*$")
RIGHT_OF_EQUALS = re.compile(r"\s*-?[0-9][0-9.,]*")
OPERATORS = "+-*/^=%<>"
FRACTION = re.compile(r"-?[0-9]+ ?/ ?[0-9]+")
MAX_EQUATIONS = 32
"""Equations that are read in one text; the rest is left alone."""
MAX_QUOTED = 60
# Characters looked at on either side of a clause.
SURROUNDINGS = 80


@dataclass(frozen=True, slots=True)
class _Clause:
    """Text between two breaks, the breaks, and what lies beyond them."""

    text: str
    break_before: str
    before: str
    break_behind: str
    behind: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of an equation; `number` where it is one number and not an expression."""

    text: str
    value: Fraction
    number: Number | None

    @property
    def quoted(self) -> str:
        return self.text if len(self.text) <= MAX_QUOTED else f"{self.text[: MAX_QUOTED - 3]}..."

    @property
    def worked_out(self) -> str:
        """The value in another form than the text has already."""
        is_fraction = FRACTION.fullmatch(self.text) is not None
        return decimal(self.value) if is_fraction else written(self.value)


def false_equation(text: str) -> str | None:
    """What is wrong with the first false equation, such as `12 * 7 = 84, not 85`; None if none is surely false."""
    is_read, num_equations = False, 0
    for clause in _clauses(text.translate(UNICODE_OPERATORS)):
        stands_alone = clause is not None and _begins(clause, is_read) and _ends(clause)
        equation = _equation_in(clause.text) if clause is not None and stands_alone else None
        faults = _faults(equation) if equation else []
        # A point or comma that not everyone reads alike: all readings must be false.
        if faults and all(faults):
            return faults[0]
        is_read = bool(faults)
        num_equations += clause is not None
        if num_equations == MAX_EQUATIONS:
            break
    return None


def may_mean_other_signs(text: str) -> bool:
    """Whether a text has an equation of numbers that is false as it stands, as puzzles with signs of their own do."""
    text = text.translate(UNICODE_OPERATORS)
    for equals, _ in zip(re.finditer("=", text), range(MAX_EQUATIONS), strict=False):
        left = LEFT_OF_EQUALS.search(text[max(0, equals.start() - SURROUNDINGS) : equals.start()])
        right = RIGHT_OF_EQUALS.match(text[equals.end() : equals.end() + SURROUNDINGS])
        if left and right and any(_faults(f"{left[0]}={right[0].rstrip('.,')}")):
            return True
    return False


def _clauses(text: str) -> Iterator[_Clause | None]:
    """Clause by clause; None for those without an equation."""
    start = before = 0
    for match in chain(BREAK.finditer(text), [None]):
        end, behind = match.span() if match else (len(text), len(text))
        if "=" in text[start:end]:
            yield _Clause(
                text[start:end],
                text[before:start],
                text[max(0, before - SURROUNDINGS) : before],
                text[end:behind],
                text[behind : behind + SURROUNDINGS],
            )
        else:
            yield None
        before, start = end, behind


def _begins(clause: _Clause, is_read: bool) -> bool:
    """Whether nothing before the clause belongs to its first expression."""
    before, mark = clause.before.rstrip(), clause.break_before
    if mark == "\n" and before.endswith((",", ":")):
        before, mark = before[:-1].rstrip(), before[-1]
    last = before[-1:]
    if last and last in OPERATORS + "([{":
        return False
    is_number = bool(last) and last in "0123456789)]%"
    match mark:
        case ",":
            # Not `the sum of 2, 3 * 1 = 5`.
            return is_read or not is_number
        case ":":
            # Not `2 : 3 * 1 = 5`.
            return not is_number or LABEL.search(before) is not None
        case "\n" if not clause.before.rstrip(" \t").endswith("\n"):
            # A sentence may run over the end of its line.
            return (is_read or not is_number) and (
                not last.isalpha() or before.split()[-1].lower() in LEAD_INS
            )
        case _:
            return True


def _ends(clause: _Clause) -> bool:
    """Whether nothing after the clause belongs to its last expression."""
    first = clause.behind.lstrip()[:1]
    if first and first in OPERATORS + ")]}":
        return False
    if clause.break_behind == "\n":
        return not first.islower() or clause.behind.lstrip(" \t").startswith("\n")
    if first.isdigit() or first == "(":
        return clause.break_behind != ":" and (clause.break_behind != "," or "=" in clause.behind)
    return True


def _equation_in(clause: str) -> str | None:
    """The equation that a clause consists of, apart from the words that lead up to it."""
    begin = re.search(r"[-0-9(]", clause)
    if begin is None:
        return None
    words, equation = clause[: begin.start()], clause[begin.start() :].strip()
    if EQUATION.fullmatch(equation) is None or re.fullmatch(r"(?:[A-Za-z'\s]*\s)?", words) is None:
        return None
    aside = equation[1:-1] if equation[0] == "(" and equation[-1] == ")" else ""
    if "=" in aside and "(" not in aside and ")" not in aside:
        return aside
    if words.strip():
        return equation if words.split()[-1].lower() in LEAD_INS else None
    # A minus in front of everything may be the mark of a list.
    return None if equation[0] == "-" else equation


def _faults(equation: str) -> list[str | None]:
    """What is wrong with the equation under each notation of numbers that can read it; empty if it is not judged."""
    if len(equation) > MAX_CHARACTERS or "--" in equation or not re.search(r"[-+*/^]", equation):
        return []
    english = _sides(equation, ENGLISH)
    if english is None:
        return []
    continental = _sides(equation, CONTINENTAL) if re.search(r"[.,]", equation) else None
    return [_fault(sides) for sides in (english, continental) if sides is not None]


def _sides(equation: str, notation: NumberNotation) -> list[_Side] | None:
    """Every side of a chain of equations, or None if one of them cannot be read."""
    sides = []
    for text in equation.split("="):
        has_one_meaning = _has_clear_percentages(text)
        value = evaluate(text, lambda token: notation.read(token).value) if has_one_meaning else None
        if value is None:
            return None
        number = SIGNED_NUMBER.fullmatch(text)
        sides.append(_Side(" ".join(text.split()), value, number and notation.read(number[1])))
    return sides if len(sides) > 1 else None


def _has_clear_percentages(expression: str) -> bool:
    """Neither `17 % 5` nor `200 + 10%`, which some read as 220."""
    if "%" not in expression:
        return True
    tokens = TOKEN.findall(expression)
    if "%" in tokens:
        return False
    numbers = [token for token in tokens if token[0].isdigit()]
    return all(token.endswith("%") for token in numbers) or not {"+", "-"} & set(tokens)


def _fault(sides: list[_Side]) -> str | None:
    """The first two neighbours that differ, in words."""
    is_rounded = any(re.search(r"[.,][0-9]|%", side.text) for side in sides)
    for left, right in pairwise(sides):
        if _agree(left, right, is_rounded):
            continue
        return _difference(left, right)
    return None


def _difference(left: _Side, right: _Side) -> str:
    """The error in words: what was worked out, then the value that the text gives for it, which may be a fraction."""
    told = next((side for side in (right, left) if side.number is not None), None)
    told = told or next((side for side in (right, left) if FRACTION.fullmatch(side.text)), None)
    if told is None:
        return f"{left.quoted} = {left.worked_out}, but {right.quoted} = {right.worked_out}"
    other = left if told is right else right
    return f"{other.quoted} = {other.worked_out}, not {told.quoted}"


def _agree(left: _Side, right: _Side, is_rounded: bool) -> bool:
    """Equal, or equal up to the last place that a decimal was rounded or cut to."""
    difference = abs(left.value - right.value)
    for side, other in ((left, right), (right, left)):
        if side.number is None:
            continue
        is_cut = not side.number.is_whole and abs(side.value) < abs(other.value)
        if is_cut and difference < side.number.unit:
            return True
        if is_rounded and difference <= side.number.unit / 2:
            return True
    return not difference
