"""Output items of the Responses API as they grow: one for each step, and the message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from steiner.reasoning.steps import Backtrack, Decision
from steiner.reasoning.tree.plain_text import ReasoningText, back_text
from steiner.server.access.step_seal import SealStep
from steiner.server.api.responses.input import Item

SEALED = "encrypted_content"
ItemStatus = Literal["in_progress", "completed", "incomplete"]


@dataclass(slots=True)
class StepOutput:
    """A step as a reasoning item: its text, its summary section, and our own field `step`.

    Attributes:
        index: place in the output.
        step: what events have said about it so far.
        text: renders the step's events.
        seal: seals the step once it is closed, if the client asked for that.
    """

    id: str
    index: int
    step: dict[str, Any]
    status: ItemStatus = "in_progress"
    pieces: list[str] = field(default_factory=list)
    summaries: list[list[str]] = field(default_factory=list)
    in_summary: bool = False
    text: ReasoningText = field(default_factory=ReasoningText)
    seal: SealStep | None = None

    @property
    def place(self) -> str:
        """Where its events happen, as fields of JSON."""
        return f'"item_id":"{self.id}","output_index":{self.index}'

    @property
    def item(self) -> Item:
        """As it stands."""
        sealed = {} if self.seal is None or self.status == "in_progress" else {SEALED: self.seal(self.step)}
        return {
            "id": self.id,
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "".join(pieces)} for pieces in self.summaries],
            "content": [{"type": "reasoning_text", "text": "".join(self.pieces)}],
            **sealed,
            "status": self.status,
            "step": self.step,
        }


@dataclass(slots=True)
class MessageOutput:
    """The answer as a message item.

    Attributes:
        logprobs: of its tokens so far, in the API's form.
    """

    id: str
    index: int
    status: ItemStatus = "in_progress"
    pieces: list[str] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Where its events happen, as fields of JSON."""
        return f'"item_id":"{self.id}","output_index":{self.index}'

    @property
    def part(self) -> dict[str, Any]:
        """Its one part, as it stands."""
        text = "".join(self.pieces)
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self.logprobs}

    @property
    def item(self) -> Item:
        """As it stands."""
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "content": [self.part],
            "status": self.status,
        }


@dataclass(slots=True)
class CallOutput:
    """A call of a function as an item."""

    id: str
    index: int
    call_id: str
    name: str
    status: ItemStatus = "in_progress"
    pieces: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Where its events happen, as fields of JSON."""
        return f'"item_id":"{self.id}","output_index":{self.index}'

    @property
    def item(self) -> Item:
        """As it stands."""
        return {
            "id": self.id,
            "type": "function_call",
            "call_id": self.call_id,
            "name": self.name,
            "arguments": "".join(self.pieces),
            "status": self.status,
        }


Output = StepOutput | MessageOutput | CallOutput


def decision_text(decision: Decision | None) -> str:
    """How a step's text ends if the search turned back there."""
    return f"\n{back_text(decision.to_depth)}" if isinstance(decision, Backtrack) else ""
