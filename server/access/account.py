"""What one generation takes, so far: counted against its caller's rate, and read by its request's log line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steiner.reasoning.events import Event
from steiner.server.progress import Progress


@dataclass(frozen=True, slots=True)
class Account:
    """The tokens of one generation.

    Attributes:
        spend: called with all completion tokens so far, and whether there will be no more.
    """

    generation_id: str
    num_prompt_tokens: int
    progress: Progress
    spend: Callable[[int, bool], None]

    @property
    def num_completion_tokens(self) -> int:
        """Reasoning and answer so far."""
        return self.progress.num_tokens

    def observe(self, events: Sequence[Event]) -> None:
        """Count what a batch of events stands for."""
        self.spend(self.progress.num_tokens, events[-1].type in ("done", "error", "cancelled"))
