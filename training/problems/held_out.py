"""Fresh problems that no training run may have seen, and whether an answer to one is right.

They are chosen by what a problem is, not by the row it stands in.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from steiner.reasoning.tasks.base import NOT_FOUND, Rules
from steiner.reasoning.tasks.languages import Language, answer_in_english, in_language
from steiner.training.problems import FAMILIES

HELD_OUT_SHARE = 20
"""One canonical problem in this many is held out."""


def is_right(
    rules: Rules[Any, Any, Any], problem: Any, answer: str, language: Language, *, solvable: bool
) -> bool:
    """Exact. An answer counts only in the language of the question."""
    told = answer_in_english(answer, language)
    if told is None or told == NOT_FOUND or not solvable:
        return told == NOT_FOUND and not solvable
    return rules.check(problem, told)


def is_held_out(canonical: str) -> bool:
    """Whether every problem with this identity is kept from training; the same on every machine and run."""
    digest = hashlib.sha256(canonical.encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_SHARE == 0


@dataclass(frozen=True, slots=True)
class HeldOutProblem:
    """A problem of a family, whose identity is held out from every training run."""

    family: str
    size: int
    solvable: bool
    problem: Any
    language: Language = "en"

    @property
    def prompt(self) -> str:
        return in_language(FAMILIES[self.family].prompt(self.problem), self.language)

    def accepts(self, answer: str) -> bool:
        """The exact checker. If nothing solves the problem, the answer has to say so, in the question's language."""
        return is_right(FAMILIES[self.family], self.problem, answer, self.language, solvable=self.solvable)


def held_out_problems(
    family: str,
    sizes: Sequence[int],
    count: int,
    seed: int,
    solvable: bool = True,
    language: Language = "en",
) -> list[HeldOutProblem]:
    """`count` different problems, with sizes in turn; the same for the same arguments, whatever the language."""
    drawn = islice(_distinct(family, sizes, seed, solvable), count)
    return [replace(problem, language=language) for problem in drawn]


def _distinct(family: str, sizes: Sequence[int], seed: int, solvable: bool) -> Iterator[HeldOutProblem]:
    rng = random.Random(f"{seed}/held-out/{family}/{solvable}")
    told: set[Any] = set()
    number = 0
    while True:
        size = sizes[number % len(sizes)]
        problem = FAMILIES[family].generate(rng, size, solvable)
        if problem not in told and is_held_out(FAMILIES[family].canonical(problem)):
            told.add(problem)
            number += 1
            yield HeldOutProblem(family, size, solvable, problem)
