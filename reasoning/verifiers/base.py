"""What a verifier is: an exact judge of one step, which stays silent if it cannot be sure."""

from dataclasses import dataclass
from typing import Protocol

from steiner.reasoning.protocol import Verdict
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict that outranks the model's, and why: one short sentence for people."""

    verdict: Verdict
    reason: str


class Verifier(Protocol):
    """Judges steps and answers. Never raises, whatever the texts are, and takes milliseconds at most."""

    name: str

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        """Judge the step that is open.

        Args:
            problem: what the user said, a message a line.
            trace: the tree so far, without the step.
            step: its understanding, next step and verification are complete; it has no verdict yet.

        Returns:
            None if it cannot or need not judge: the verdict is then the model's.
        """
        ...

    def check_answer(self, problem: str, answer: str) -> bool | None:
        """Whether the answer is right; None if it cannot tell."""
        ...
