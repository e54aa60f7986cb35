"""A context in which abandoned branches are folded into the summary of the step that turned back.

Behind a backtrack to a place, everything that hung below it gives way to one folded step:

    step_start summary_start TEXT summary_end step_end backtrack depth

TEXT is the summary of the step that decided to go back; the other sections, the steps between, and earlier folds at the
same place go. So the context is as long as the live path, however many branches were abandoned. It asks of a model that
the summary of a refuted step says what is still open at the place returned to (docs/decisions/memory.md).

Server and training fold with this class, so a model sees the same ids when it serves as when it was trained.
"""

from collections.abc import Iterable

from steiner.reasoning.protocol import BoundProtocol


class FoldingContext:
    """Ids of one generation, from the start of reasoning on; feed every id in order.

    Attributes:
        token_ids: what the model has in its context behind the prompt.
    """

    def __init__(self, bound: BoundProtocol) -> None:
        if not bound.depth_ids:
            raise ValueError(f"protocol {bound.protocol.name} does not say where a backtrack leads")
        self.token_ids: list[int] = []
        self._bound = bound
        self._depths = {ids: depth for depth, ids in enumerate(bound.depth_ids)}
        summary = next(section for section in bound.sections if section.role == "summary")
        self._summary_start_id, self._summary_end_id = summary.start_id, summary.end_id
        # Where what hangs below each step of the live path begins; the problem is the first of them.
        self._places: list[int] = []
        self._summary: list[int] = []
        self._in_summary = False
        self._spelled: list[int] | None = None

    @property
    def abandoned_to(self) -> int | None:
        """Depth of a backtrack that is spelled out; None elsewhere, or where there is no such place.

        More digits could still follow: ask when the next step starts.
        """
        if self._spelled is None:
            return None
        depth = self._depths.get(tuple(self._spelled))
        return depth if depth is not None and depth < len(self._places) else None

    @property
    def folded_ids(self) -> tuple[int, ...]:
        """The folded step of the backtrack that is spelled out."""
        bound = self._bound
        return (
            bound.step_start_id,
            self._summary_start_id,
            *self._summary,
            self._summary_end_id,
            bound.step_end_id,
            bound.backtrack_id,
            *(self._spelled or ()),
        )

    def take(self, token_ids: Iterable[int]) -> None:
        """Account for more ids."""
        for token_id in token_ids:
            self.token_ids.append(token_id)
            if token_id in self._bound.special_ids:
                self._take_marker(token_id)
            elif self._in_summary:
                self._summary.append(token_id)
            elif self._spelled is not None:
                self._spelled.append(token_id)

    def fold(self) -> int:
        """Fold what the backtrack that was just spelled out abandons.

        Returns:
            How many ids of the context stay as they are, in front of the folded step.

        Raises:
            ValueError: no backtrack to a place of the live path is spelled out.
        """
        depth = self.abandoned_to
        if depth is None:
            raise ValueError("only behind a backtrack to a place of the live path can branches be folded")
        kept = self._places[depth]
        self.token_ids[kept:] = self.folded_ids
        return kept

    def _take_marker(self, token_id: int) -> None:
        bound = self._bound
        if token_id == self._summary_start_id:
            self._in_summary = True
            self._summary = []
        elif token_id == self._summary_end_id:
            self._in_summary = False
        elif token_id == bound.backtrack_id:
            self._spelled = []
        elif token_id == bound.step_start_id:
            self._start_step()
        elif token_id in (bound.proceed_id, bound.reasoning_start_id):
            self._places.append(len(self.token_ids))

    def _start_step(self) -> None:
        depth = self.abandoned_to
        if depth is not None:
            del self._places[depth + 1 :]
        self._spelled = None
        self._in_summary = False
        self._summary = []
