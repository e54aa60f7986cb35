"""Whether an answer is right: where a problem has a solution by the exact checker, else by saying that it has none."""

from typing import Any

from steiner.reasoning.tasks.base import NOT_FOUND, Rules
from steiner.reasoning.tasks.languages import Language, answer_in_english


def is_right(
    rules: Rules[Any, Any, Any], problem: Any, answer: str, language: Language, *, solvable: bool
) -> bool:
    """Exact; an answer counts only in the language of the question."""
    told = answer_in_english(answer, language)
    if told is None or told == NOT_FOUND or not solvable:
        return told == NOT_FOUND and not solvable
    return rules.check(problem, told)
