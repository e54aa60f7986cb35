"""What an intervention is: a look at single tokens as they come, and a cut in the sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from steiner.reasoning.automaton import State
from steiner.reasoning.events import EndedBy, InterventionKind
from steiner.reasoning.progress import Progress


@dataclass(frozen=True, slots=True)
class Cut:
    """The sequence ends here and goes on as another request to the engine.

    Attributes:
        kind: for events and metrics.
        forced: tokens to append first; none where only the context or the grammar changes.
        detail: the reason, for a person.
        resume: where the sequence stands behind them, for the grammar of what follows.
        ended_by: why, if the forced tokens end the reasoning.
    """

    kind: InterventionKind
    forced: tuple[int, ...]
    detail: str
    resume: State
    ended_by: EndedBy = "model"


class Intervention(Protocol):
    """A reason to cut in front of a token, which is then dropped before anyone has seen it."""

    @property
    def watched_ids(self) -> frozenset[int] | None:
        """Ids in front of which `before` is asked; None for every id."""
        ...

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Whether to cut in place of accepting this token."""
        ...


class FollowUp(Protocol):
    """A reason to cut right behind a token that was accepted or forced."""

    @property
    def watched_ids(self) -> frozenset[int]:
        """Ids behind which `after` is asked."""
        ...

    def after(self, progress: Progress) -> Cut | None:
        """Whether to cut behind the token that was just taken."""
        ...


def end_of_reasoning(
    progress: Progress, detail: str, ended_by: EndedBy, kind: InterventionKind = "budget"
) -> Cut:
    """The cut that closes the reasoning in as few tokens as it takes and lets the model answer."""
    return Cut(kind, progress.closing, detail, State("answer"), ended_by)
