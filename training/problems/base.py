"""What every task family provides for training, beyond its rules.

A new family is one module that satisfies `Family`, on rules in `steiner.reasoning.tasks`, and one line in the registry:
`docs/families.md` walks through one.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol

from steiner.reasoning.tasks.base import NO_MOVE_LEFT, Move, Problem, Rules, State
from steiner.reasoning.tasks.languages import Language, in_language


@dataclass(frozen=True, slots=True)
class SectionTexts:
    """The words of one step; the verdict and the decision are tokens and are kept elsewhere."""

    understanding: str
    next_step: str
    verification: str
    summary: str

    def told_in(self, language: Language) -> "SectionTexts":
        """The same words in another language."""
        texts = (self.understanding, self.next_step, self.verification, self.summary)
        return SectionTexts(*(in_language(text, language) for text in texts))


EXHAUSTED = SectionTexts("", NO_MOVE_LEFT, "all tried", "not found")
"""The closing step of a search that found nothing: the understanding is the family's, the verdict is verified."""


@dataclass(frozen=True, slots=True)
class StepContext(Generic[Problem, State, Move]):
    """What a family sees when it words one step of a search.

    Attributes:
        path: (state, move) pairs from the root to `state`, which is not included.
        state: where the step starts.
        tried: moves already refuted at `state`, in the order they were tried.
        move: the proposal of this step.
        result: the state that it leads to.
        seen: whether `result` was refuted earlier in this trace.
        verified: the verdict.
        exhausted: places that a refutation leaves for good, each with its moves, all of which were tried.
        return_to: where the search goes on: after a refutation, the state it returns to with the moves tried there;
            after a verification, the result without any.
    """

    problem: Problem
    path: Sequence[tuple[State, Move]]
    state: State
    tried: Sequence[Move]
    move: Move
    result: State
    seen: bool
    verified: bool
    exhausted: Sequence[tuple[State, Sequence[Move]]]
    return_to: tuple[State, Sequence[Move]]


class Family(Rules[Problem, State, Move], Protocol[Problem, State, Move]):
    """A kind of problem with exact rules and a text form for traces."""

    words: tuple[str, ...]
    """Every word its texts use, for the tokenizer."""
    revision_words: tuple[str, ...]
    """Further words of the messages that revise a problem."""
    sizes: range
    """Sizes that `generate` can draw."""

    def generate(self, rng: random.Random, size: int, solvable: bool = True) -> Problem:
        """Draw a problem of the size, solvable or surely not."""
        ...

    def draw_revision(self, problem: Problem, rng: random.Random) -> str:
        """Words of a later message that changes the problem. `revise` reads them, and a solution is usually left."""
        ...

    def canonical(self, problem: Problem) -> str:
        """Identity under which a problem is split into training and held-out."""
        ...

    def to_json(self, problem: Problem) -> dict[str, Any]: ...

    def from_json(self, fields: Mapping[str, Any]) -> Problem: ...

    def prompt(self, problem: Problem) -> str: ...

    def order(self, problem: Problem, state: State, moves: Sequence[Move], rng: random.Random) -> list[Move]:
        """A systematic order in which to try the moves, randomised so that no fixed order is learned."""
        ...

    def understanding(self, problem: Problem, state: State, tried: Sequence[Move]) -> str:
        """Where the search stands and what is left to try."""
        ...

    def render_step(self, step: StepContext[Problem, State, Move]) -> SectionTexts: ...

    def answer(self, problem: Problem, path: Sequence[tuple[State, Move]]) -> str:
        """The answer text of a path from the root to a goal."""
        ...

    def direct_answer(self, problem: Problem, rng: random.Random) -> str:
        """A right answer, for the direct-answer baseline and for traces that were cut short.

        Raises:
            MalformedProblemError: nothing solves the problem.
        """
        ...

    def drills(
        self, problem: Problem, rng: random.Random
    ) -> Iterator[tuple[Literal["verified", "refuted"], SectionTexts]]:
        """Endless primitive exercises (look-ups, arithmetic) on the problem, for continual pre-training.

        Yields:
            The verdict ("verified" or "refuted") and the sections; empty sections are left out of the text.
        """
        ...
