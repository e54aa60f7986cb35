"""The answer's own grammar: behind the end of reasoning, JSON that fits a schema and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steiner.reasoning.automaton import State
from steiner.reasoning.protocol import BoundProtocol
from steiner.server.interventions.base import Cut
from steiner.server.progress import Progress


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """JSON as the whole answer.

    Attributes:
        name: of the schema, for a person.
        schema: JSON Schema that the answer must fit; None for any JSON object.
    """

    name: str
    schema: dict[str, Any] | None


class FormattedAnswer:
    """Cuts behind the end of reasoning, once; the reasoning itself knows nothing of the format."""

    def __init__(self, bound: BoundProtocol, answer_format: AnswerFormat) -> None:
        self.watched_ids = frozenset({bound.reasoning_end_id})
        self._name = answer_format.name
        self._cut = False

    def after(self, progress: Progress) -> Cut | None:
        """Cut where the answer begins."""
        if self._cut or progress.phase != "answer":
            return None
        self._cut = True
        return Cut("answer", (), f"the answer is held to {self._name}", State("answer"))
