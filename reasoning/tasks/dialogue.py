"""What a dialogue asks for: the problem that was stated last, with everything said since applied to it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from steiner.reasoning.errors import MalformedProblemError
from steiner.reasoning.tasks.base import Rules
from steiner.reasoning.tasks.languages import in_english


@lru_cache(maxsize=64)
def problem_of_dialogue(rules: Rules[Any, Any, Any], messages: str) -> Any | None:
    """The problem of this family that the user's messages end up with, a line each in any language.

    Returns:
        None if none of them states one, or if a later message neither states nor revises one.
    """
    lines = [in_english(line).strip() for line in messages.splitlines() if line.strip()]
    for index in reversed(range(len(lines))):
        stated = _stated(rules, lines[index])
        if stated is not None:
            return _revised(rules, stated, lines[index + 1 :])
    return None


def _stated(rules: Rules[Any, Any, Any], line: str) -> Any | None:
    try:
        return rules.parse(line)
    except MalformedProblemError:
        return None


def _revised(rules: Rules[Any, Any, Any], problem: Any, lines: Sequence[str]) -> Any | None:
    try:
        for line in lines:
            problem = rules.revise(problem, line)
    except MalformedProblemError:
        return None
    return problem
