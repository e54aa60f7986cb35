"""The answer's own grammar: after the end of reasoning, JSON that fits a schema, or legal calls of tools."""

from __future__ import annotations

from steiner.reasoning.automaton import State
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.conductor.interventions.base import Cut, end_of_reasoning


class AnswerOfFreeModel:
    """Closes a reasoning that a model without a grammar skips or abandons, so that its answer gets its grammar too."""

    watched_ids: frozenset[int] | None = None

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Cut before an answer that does not begin after the end of reasoning."""
        bound = progress.bound
        starts = progress.phase == "before" and token_id != bound.reasoning_start_id
        abandons = progress.phase == "reasoning" and token_id == bound.end_of_turn_id
        if not (starts or abandons):
            return None
        return end_of_reasoning(progress, "the answer began inside of the reasoning", "model", "answer")


class FormattedAnswer:
    """Cuts once, after the end of reasoning. The reasoning itself is free of the format."""

    def __init__(self, bound: BoundProtocol, name: str) -> None:
        self.watched_ids = frozenset({bound.reasoning_end_id})
        self._name = name
        self._cut = False

    def after(self, progress: Progress) -> Cut | None:
        """Cut where the answer begins."""
        if self._cut or progress.phase != "answer":
            return None
        self._cut = True
        return Cut("answer", (), f"the answer is held to {self._name}", State("answer"))
