"""The tree of a generation's steps, and what was concluded."""

from pydantic import BaseModel, ConfigDict

from steiner.reasoning.events import EndedBy, FinishReason
from steiner.reasoning.steps import Backtrack, Step


class Trace(BaseModel):
    """Everything a generation said, in types; JSON and back without loss.

    Attributes:
        steps: in the order of generation, refuted and interrupted ones included.
        ended_by: what ended the reasoning; None while it runs or where it was cut off.
        num_violations: times the model broke the protocol.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    model: str = ""
    protocol: str
    steps: tuple[Step, ...] = ()
    answer: str = ""
    ended_by: EndedBy | None = None
    finish_reason: FinishReason | None = None
    num_prompt_tokens: int = 0
    num_reasoning_tokens: int = 0
    num_answer_tokens: int = 0
    num_forced_tokens: int = 0
    num_violations: int = 0

    @property
    def num_backtracks(self) -> int:
        return sum(isinstance(step.decision, Backtrack) for step in self.steps)

    def children(self, step_id: int) -> tuple[Step, ...]:
        """Steps that continue this one; 0 is the problem."""
        return tuple(step for step in self.steps if step.parent == step_id)

    def live_path(self) -> tuple[Step, ...]:
        """From the problem to where the search stands: steps that no later backtrack left."""
        path: list[Step] = []
        for step in self.steps:
            if step.depth is None:
                return ()
            path = [*path[: step.depth - 1], step]
            if isinstance(step.decision, Backtrack) and step.decision.to_depth is not None:
                path = path[: step.decision.to_depth]
        return tuple(path)

    def conclusions(self) -> tuple[str, ...]:
        """Summaries of the live path: what a later turn needs to know."""
        return tuple(text for step in self.live_path() if (text := step.text_of("summary")))
