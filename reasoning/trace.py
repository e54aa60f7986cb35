"""The tree of a generation's steps, and what was concluded."""

from collections.abc import Callable
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from steiner.reasoning.answer import ToolCall
from steiner.reasoning.events import EndedBy, FinishReason, Intervention
from steiner.reasoning.steps import Backtrack, Step


class Trace(BaseModel):
    """Everything a generation said, in types; JSON and back without loss.

    Attributes:
        problem: what the user asked, a line each message; "" where it is not known, as from events alone.
        steps: in the order of generation, refuted and interrupted ones included.
        answer: its text, without calls of tools.
        tool_calls: the answer's whole calls, in order.
        ended_by: what ended the reasoning; None while it runs or where it was cut off.
        num_violations: times the model broke the protocol.
        interventions: where the server cut in, numbered as in the stream.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    svg_writer: ClassVar[Callable[["Trace"], str] | None] = None
    """Draws a trace; whoever can draw says so here (`steiner.picture.notebook`), since this package knows none."""

    id: str = ""
    model: str = ""
    protocol: str
    problem: str = ""
    steps: tuple[Step, ...] = ()
    answer: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    ended_by: EndedBy | None = None
    finish_reason: FinishReason | None = None
    num_prompt_tokens: int = 0
    num_reasoning_tokens: int = 0
    num_answer_tokens: int = 0
    num_forced_tokens: int = 0
    num_violations: int = 0
    interventions: tuple[Intervention, ...] = ()

    @property
    def reply(self) -> str:
        """The answer's text and its calls, as a person writes them."""
        calls = (f"{call.name}({call.arguments})" for call in self.tool_calls)
        return "\n".join(filter(None, (self.answer, *calls)))

    def _repr_svg_(self) -> str | None:
        """What a notebook shows (IPython, "Integrating your objects with IPython"); None for no picture."""
        writer = type(self).svg_writer
        return None if writer is None else writer(self)

    @property
    def num_backtracks(self) -> int:
        return sum(isinstance(step.decision, Backtrack) for step in self.steps)

    def children(self, step_id: int) -> tuple[Step, ...]:
        """Steps that continue this one; 0 is the problem."""
        return tuple(step for step in self.steps if step.parent == step_id)

    def ancestors(self, step: Step) -> tuple[Step, ...]:
        """Steps from the problem to this step's parent; the step itself need not be in the tree.

        Empty where the protocol leaves it unknown.
        """
        return self._path_to(step, {known.id: known for known in self.steps})[:-1]

    def live_path(self) -> tuple[Step, ...]:
        """From the problem to where the search stands: steps that no later backtrack left, and no refuted last one.

        Empty where the protocol leaves it unknown.
        """
        by_id = {step.id: step for step in self.steps}
        if not self.steps:
            return ()
        last = self.steps[-1]
        up = self._path_to(last, by_id)
        if isinstance(last.decision, Backtrack):
            to_depth = last.decision.to_depth
            return () if to_depth is None else up[:to_depth]
        return up[:-1] if last.verdict == "refuted" else up

    @staticmethod
    def _path_to(step: Step, by_id: dict[int, Step]) -> tuple[Step, ...]:
        path = [step]
        while parent := path[-1].parent:
            # A trace that a client sends back may name parents that cannot be.
            if parent not in by_id or parent >= path[-1].id:
                return ()
            path.append(by_id[parent])
        return () if parent is None else tuple(reversed(path))

    def conclusions(self) -> tuple[str, ...]:
        """Summaries of the live path: what a later turn needs to know. A summary that was cut short is none."""
        whole = (step for step in self.live_path() if not step.interrupted)
        return tuple(text for step in whole if (text := step.text_of("summary")))
