"""Memory: after a backtrack, the abandoned branches leave the model's context, and their last summary stays."""

from __future__ import annotations

from steiner.reasoning.automaton import State
from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import BoundProtocol, Opening
from steiner.server.conductor.interventions.base import Cut


class BranchMemory:
    """Keeps the context; cuts where a step starts after a backtrack.

    Nothing is dropped and nothing forced: the token that starts the step is the model's own, and what follows is
    sampled in the folded context.

    Attributes:
        context: what the model has after the prompt.
    """

    def __init__(self, bound: BoundProtocol, opening: Opening) -> None:
        assert bound.step_start_id is not None
        self.context = FoldingContext(bound, opening)
        self.watched_ids = frozenset({bound.step_start_id})
        self._step_start_id = bound.step_start_id
        self._folded: tuple[int, int] | None = None

    def take(self, token_id: int) -> None:
        """Take one more token of the generation."""
        context = self.context
        if token_id == self._step_start_id and (depth := context.abandoned_to) is not None:
            before = len(context.token_ids)
            context.fold()
            self._folded = (depth, before - len(context.token_ids))
        context.take((token_id,))

    def after(self, progress: Progress) -> Cut | None:
        """Cut if the step that starts here made a branch fold."""
        folded, self._folded = self._folded, None
        if folded is None:
            return None
        depth, num_saved = folded
        resume = State(
            "section",
            depth=progress.depth,
            num_steps=progress.num_steps,
            num_backtracks=progress.num_backtracks,
        )
        return Cut("memory", (), f"{num_saved} tokens of branches abandoned at depth {depth} folded", resume)
