"""Countdown: combine all the numbers with + - * / into the target.

Every intermediate result is a whole number from 0 to 199, so that each is one token. A state is the multiset of the
numbers left. A move is written pair before operator: `10 7 * = 70`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks.expression import read_expression

OPERATORS = ("+", "-", "*", "/")
MAX_VALUE = 199
# ASCII only: other scripts also have digits, which int() reads and the tokenizer spells in bytes.
PROMPT = re.compile(r"make (\d{1,3}) from ((?:\d{1,3} ){1,5}\d{1,3})\s*", re.ASCII)
NEW_TARGET = re.compile(r"now make (\d{1,3})\s*", re.ASCII)
NEW_NUMBER = re.compile(r"now (\d{1,3}) for (\d{1,3})\s*", re.ASCII)
MOVE = re.compile(r"([0-9]{1,9})\s+([0-9]{1,9})\s*([-+*/])\s*=\s*([0-9]{1,9})")
NOTATION = re.compile(r"[-+*/=0-9\s]+")
INFIX = re.compile(r"[0-9]+\s*[-+*/]\s*[0-9]+\s*(?:=\s*[0-9]+)?")


class CountdownProblem(NamedTuple):
    numbers: tuple[int, ...]
    target: int


class Combine(NamedTuple):
    """`left operator right`; the left number is the larger one."""

    left: int
    operator: str
    right: int


Numbers = tuple[int, ...]


def largest_first(numbers: Sequence[int]) -> Numbers:
    """The multiset as a state."""
    return tuple(sorted(numbers, reverse=True))


def result_of(move: Combine) -> int:
    """The value of a legal move."""
    match move.operator:
        case "+":
            return move.left + move.right
        case "-":
            return move.left - move.right
        case "*":
            return move.left * move.right
        case _:
            return move.left // move.right


def equation_of(move: Combine) -> str:
    """The move in its written form."""
    # Pair before operator: the pair is chosen first, then what is still untried with it.
    return f"{move.left} {move.right} {move.operator} = {result_of(move)}"


@lru_cache(maxsize=100_000)
def combinations_of(left: int, right: int) -> tuple[Combine, ...]:
    """Legal moves on one pair, left >= right, in the order of OPERATORS."""
    moves = [Combine(left, "+", right)] if left + right <= MAX_VALUE else []
    moves.append(Combine(left, "-", right))
    if left * right <= MAX_VALUE:
        moves.append(Combine(left, "*", right))
    if right and left % right == 0:
        moves.append(Combine(left, "/", right))
    return tuple(moves)


@lru_cache(maxsize=50_000)
def moves_of(numbers: Numbers) -> tuple[Combine, ...]:
    """Legal moves on a multiset, pair by pair."""
    pairs = sorted({(max(a, b), min(a, b)) for a, b in combinations(numbers, 2)}, reverse=True)
    return tuple(move for pair in pairs for move in combinations_of(*pair))


def after(numbers: Numbers, move: Combine) -> Numbers:
    """The multiset that a move leaves, largest first."""
    rest = list(numbers)
    rest.remove(move.left)
    rest.remove(move.right)
    return largest_first([*rest, result_of(move)])


class CountdownRules:
    name = "countdown"

    def parse(self, prompt: str) -> CountdownProblem:
        match = PROMPT.fullmatch(prompt)
        if match is None:
            raise MalformedProblemError(
                f"Not a Countdown problem: {prompt[:80]!r}. "
                f"Write it as 'make 22 from 15 4 11', numbers up to {MAX_VALUE}."
            )
        numbers = tuple(map(int, match[2].split()))
        if max(*numbers, int(match[1])) > MAX_VALUE:
            raise MalformedProblemError(
                f"A number is above {MAX_VALUE}, the largest this model knows: {prompt[:80]!r}."
            )
        return CountdownProblem(numbers, int(match[1]))

    def revise(self, problem: CountdownProblem, text: str) -> CountdownProblem:
        """Another target, as "now make 37", or another number in place of one, as "now 7 for 11"."""
        revised = problem
        if match := NEW_TARGET.fullmatch(text):
            revised = problem._replace(target=int(match[1]))
        elif (match := NEW_NUMBER.fullmatch(text)) and int(match[2]) in problem.numbers:
            numbers = list(problem.numbers)
            numbers[numbers.index(int(match[2]))] = int(match[1])
            revised = problem._replace(numbers=tuple(numbers))
        if revised == problem or max(*revised.numbers, revised.target) > MAX_VALUE:
            raise MalformedProblemError(
                f"{text[:80]!r} changes nothing of a Countdown problem with {problem.numbers}. Write 'now make 37', or "
                f"'now 7 for {problem.numbers[0]}', numbers up to {MAX_VALUE}."
            )
        return revised

    def check(self, problem: CountdownProblem, answer: str) -> bool:
        parsed = read_expression(answer)
        if parsed is None:
            return False
        value, used = parsed
        return value == problem.target and sorted(used) == sorted(problem.numbers)

    def root(self, problem: CountdownProblem) -> Numbers:
        return largest_first(problem.numbers)

    def moves(self, problem: CountdownProblem, state: Numbers) -> Sequence[Combine]:
        return moves_of(state)

    def apply(self, problem: CountdownProblem, state: Numbers, move: Combine) -> Numbers:
        return after(state, move)

    def read_move(self, problem: CountdownProblem, state: Numbers, next_step: str) -> Combine | None:
        match = MOVE.fullmatch(next_step.strip())
        if match is None:
            return None
        move = Combine(int(match[1]), match[3], int(match[2]))
        return move if move in moves_of(state) and equation_of(move) == match[0] else None

    def why_illegal(self, problem: CountdownProblem, state: Numbers, next_step: str) -> str | None:
        text = next_step.strip()
        match = MOVE.fullmatch(text)
        if match is None:
            is_meant = NOTATION.fullmatch(text) is not None and INFIX.fullmatch(text) is None
            return f"{text[:40]!r} is not a move, as '10 7 * = 70' is" if is_meant else None
        left, right, operator, result = int(match[1]), int(match[2]), match[3], int(match[4])
        rest = list(state)
        for number in (left, right):
            if number not in rest:
                again = " once more" if number in state else ""
                return f"{number} is not{again} among the numbers left, {' '.join(map(str, state))}"
            rest.remove(number)
        if left < right:
            return f"of {left} and {right} the larger number comes first"
        if operator == "/" and (right == 0 or left % right):
            return f"{left} / {right} is not a whole number"
        value = result_of(Combine(left, operator, right))
        if value != result:
            return f"{left} {operator} {right} = {value}, not {result}"
        return f"{left} {operator} {right} = {value} is above {MAX_VALUE}" if value > MAX_VALUE else None

    def is_goal(self, problem: CountdownProblem, state: Numbers) -> bool:
        return state == (problem.target,)

    def is_refutable(self, problem: CountdownProblem, state: Numbers) -> bool:
        """Up to two numbers that cannot make the target."""
        match state:
            case (left, right):
                return all(result_of(move) != problem.target for move in combinations_of(left, right))
            case (last,):
                return last != problem.target
            case _:
                return False
