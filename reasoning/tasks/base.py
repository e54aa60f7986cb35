"""The rules of a task family: what is needed to judge a step, and nothing about how problems and traces are made.

A new family is one module that satisfies `Rules` and one line in the registry; `steiner.training.problems` adds
the generation of problems and the words of traces.
"""

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

Problem = TypeVar("Problem")
State = TypeVar("State", bound=Hashable)
Move = TypeVar("Move")

NO_MOVE_LEFT = "none"
"""The next step of a search that has tried everything: a claim that the problem has no solution."""
NOT_FOUND = "not found"
"""The answer to a problem without a solution."""


class Rules(Protocol[Problem, State, Move]):
    """States and moves of one kind of problem, exact, and how both are written.

    Problems, states and moves are hashable. A state does not depend on the way to it: two ways to the same situation
    give equal states, so that the search space is a DAG and not a tree.
    """

    name: str

    def __hash__(self) -> int:
        """Hashable by its rules, so that what is found out about a problem can be cached."""
        ...

    def parse(self, prompt: str) -> Problem:
        """The problem that a prompt states.

        Raises:
            MalformedProblemError: the text is not a problem of this family.
        """
        ...

    def revise(self, problem: Problem, text: str) -> Problem:
        """The problem that a later message makes of this one.

        Raises:
            MalformedProblemError: the text does not say, in the words of this family, what changes, or nothing does.
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
        """The move that a next_step section proposes; None if it is not legal or not correctly worked out."""
        ...

    def why_illegal(self, problem: Problem, state: State, next_step: str) -> str | None:
        """What is wrong with a move that `read_move` refuses, in one short sentence.

        Returns:
            None if the text is not in the notation of a move, so that nothing can be said about it.
        """
        ...

    def is_goal(self, problem: Problem, state: State) -> bool: ...

    def is_refutable(self, problem: Problem, state: State) -> bool:
        """Whether the verification of the step that led here can see that it is hopeless."""
        ...
