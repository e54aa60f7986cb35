"""What every task family provides; a new family is one module that satisfies `Family` and one line in the registry."""

import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from steiner.reasoning.errors import SteinerError

Problem = TypeVar("Problem")
State = TypeVar("State", bound=Hashable)
Move = TypeVar("Move")


class MalformedProblemError(SteinerError):
    """The text is not a problem of this family; the message says which part and what would be right."""


@dataclass(frozen=True, slots=True)
class SectionTexts:
    """The words of one step; the verdict and the decision are tokens and stand elsewhere."""

    understanding: str
    next_step: str
    verification: str
    summary: str


EXHAUSTED = SectionTexts("", "none", "all tried", "not found")
"""The closing step of a search that found nothing: the understanding is the family's, the verdict is verified."""
NOT_FOUND = "not found"
"""The answer to a problem without a solution."""


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
        return_to: where the search goes on: after a refutation the state it returns to with the moves tried there,
            after a verification the result with none.
    """

    problem: Problem
    path: Sequence[tuple[State, Move]]
    state: State
    tried: Sequence[Move]
    move: Move
    result: State
    seen: bool
    verified: bool
    return_to: tuple[State, Sequence[Move]]


class Family(Protocol[Problem, State, Move]):
    """A kind of problem with an exact checker, an exact search and a text form.

    A state is hashable and order-free: two ways to the same situation give equal states, so that the
    search space is a DAG and not a tree.
    """

    name: str
    words: tuple[str, ...]
    """Every word its texts use, for the tokenizer."""
    sizes: range
    """Sizes that `generate` can draw."""

    def generate(self, rng: random.Random, size: int, solvable: bool = True) -> Problem:
        """Draw a problem of the size, solvable or surely not."""
        ...

    def canonical(self, problem: Problem) -> str:
        """Identity under which a problem is split into training and held-out."""
        ...

    def to_json(self, problem: Problem) -> dict[str, Any]: ...

    def from_json(self, fields: Mapping[str, Any]) -> Problem: ...

    def prompt(self, problem: Problem) -> str: ...

    def parse(self, prompt: str) -> Problem:
        """The inverse of `prompt`.

        Raises:
            MalformedProblemError: the text is not a problem of this family.
        """
        ...

    def check(self, problem: Problem, answer: str) -> bool:
        """Whether the answer text solves the problem; exact, never raises, never evaluates code."""
        ...

    def root(self, problem: Problem) -> State: ...

    def moves(self, problem: Problem, state: State) -> Sequence[Move]:
        """Legal moves in a canonical order; empty at the goal and in a dead end."""
        ...

    def apply(self, problem: Problem, state: State, move: Move) -> State: ...

    def read_move(self, problem: Problem, state: State, next_step: str) -> Move | None:
        """The move that a next_step section proposes; None where it is not legal or not correctly worked out."""
        ...

    def is_goal(self, problem: Problem, state: State) -> bool: ...

    def is_refutable(self, problem: Problem, state: State) -> bool:
        """Whether the verification of the step that led here can see that it is hopeless."""
        ...

    def order(self, problem: Problem, state: State, moves: Sequence[Move], rng: random.Random) -> list[Move]:
        """A systematic order to try the moves in, randomised so that no fixed order is learned."""
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
