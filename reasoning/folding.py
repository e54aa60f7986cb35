"""A context in which abandoned branches are folded into the summary of the step that turned back.

Behind a backtrack to a place, everything that hung below it gives way to one folded step:

    step_start summary_start TEXT summary_end step_end backtrack depth

TEXT is the summary of the step that decided to go back; the other sections, the steps between, and earlier folds at the
same place go. So the context is as long as the live path, however many branches were abandoned. It asks of a model that
the summary of a refuted step says what is still open at the place returned to (docs/decisions/memory.md).

Server and training fold with this class, so a model sees the same ids when it serves as when it was trained.
"""

from collections.abc import Iterable
from typing import Literal

from steiner.reasoning.protocol import BoundProtocol, Opening

_Due = Literal["start", "step", "end", "decision", "depth", "nothing"]
"""Which marker between steps comes next."""


class FoldingContext:
    """Ids of one generation; feed every id in order.

    Where a sequence breaks the protocol between its steps, nobody can say what hangs below which place: from there on
    nothing is folded.

    Args:
        opening: where the ids begin.

    Attributes:
        token_ids: what the model has in its context behind the prompt.
    """

    def __init__(self, bound: BoundProtocol, opening: Opening = "before") -> None:
        if not bound.depth_ids:
            raise ValueError(f"protocol {bound.protocol.name} does not say where a backtrack leads")
        self.token_ids: list[int] = []
        self._bound = bound
        summary = next(section for section in bound.sections if section.role == "summary")
        self._summary_start_id, self._summary_end_id = summary.start_id, summary.end_id
        # Where what hangs below each step of the live path begins; the problem is the first of them.
        self._places: list[int] = [0] if opening == "reasoning" else []
        openings: dict[Opening, _Due] = {"before": "start", "reasoning": "step", "answer": "nothing"}
        self._due: _Due = openings[opening]
        self._following = _following(bound)
        self._frame_ids = {token_id for _, token_id in self._following} | {bound.reasoning_end_id}
        # Of the current step: None until it is whole.
        self._summary: tuple[int, ...] | None = None
        self._open_summary: list[int] | None = None
        self._spelled: list[int] = []

    @property
    def abandoned_to(self) -> int | None:
        """Depth of a backtrack that is spelled out; None elsewhere, without a summary, or where there is no such place.

        More digits could still follow: ask when the next step starts.
        """
        return None if self._summary is None else self._place

    @property
    def folded_ids(self) -> tuple[int, ...]:
        """The folded step of the backtrack that is spelled out."""
        bound = self._bound
        ids = (
            bound.step_start_id,
            self._summary_start_id,
            *(self._summary or ()),
            self._summary_end_id,
            bound.step_end_id,
            bound.backtrack_id,
            *self._spelled,
        )
        return tuple(token_id for token_id in ids if token_id is not None)

    def take(self, token_ids: Iterable[int]) -> None:
        """Account for more ids."""
        for token_id in token_ids:
            self.token_ids.append(token_id)
            if token_id in self._bound.special_ids:
                self._take_marker(token_id)
            elif self._open_summary is not None:
                self._open_summary.append(token_id)
            elif self._due == "depth":
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

    @property
    def _place(self) -> int | None:
        depth = self._bound.depth_of(self._spelled) if self._due == "depth" else None
        return depth if depth is not None and depth < len(self._places) else None

    def _take_marker(self, token_id: int) -> None:
        self._take_end_of_text(token_id)
        if token_id not in self._frame_ids and self._due != "depth":
            return
        if token_id == self._bound.step_start_id:
            self._start_step()
        self._due = self._following.get((self._due, token_id), "nothing")
        if self._due == "step":
            self._places.append(len(self.token_ids))
        self._spelled = []

    def _take_end_of_text(self, token_id: int) -> None:
        """Markers end text, that of a summary in their own way."""
        if token_id == self._summary_end_id and self._open_summary is not None:
            self._summary = tuple(self._open_summary)
        self._open_summary = [] if token_id == self._summary_start_id and self._due == "end" else None

    def _start_step(self) -> None:
        depth = self._place
        if depth is not None:
            del self._places[depth + 1 :]
        elif self._due == "depth":
            self._due = "nothing"
        self._summary = None


def _following(bound: BoundProtocol) -> dict[tuple[_Due, int | None], _Due]:
    return {
        ("start", bound.reasoning_start_id): "step",
        ("step", bound.step_start_id): "end",
        ("depth", bound.step_start_id): "end",
        ("end", bound.step_end_id): "decision",
        ("decision", bound.proceed_id): "step",
        ("decision", bound.backtrack_id): "depth",
    }
