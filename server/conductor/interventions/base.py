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
        forced: tokens to append first; none if only the context or the grammar changes.
        detail: the reason, for people.
        resume: the state after the forced tokens, for the grammar of what follows.
        ended_by: why, if the forced tokens end the reasoning.
    """

    kind: InterventionKind
    forced: tuple[int, ...]
    detail: str
    resume: State
    ended_by: EndedBy = "model"


class Intervention(Protocol):
    """A reason to cut before a token, which is then dropped before anyone has seen it."""

    @property
    def watched_ids(self) -> frozenset[int] | None:
        """Ids before which `before` is asked; None for every id."""
        ...

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Whether to cut instead of accepting this token."""
        ...


class FollowUp(Protocol):
    """A reason to cut right after a token that was accepted or forced."""

    @property
    def watched_ids(self) -> frozenset[int]:
        """Ids after which `after` is asked."""
        ...

    def after(self, progress: Progress) -> Cut | None:
        """Whether to cut after the token that was just taken."""
        ...


def end_of_reasoning(
    progress: Progress, detail: str, ended_by: EndedBy, kind: InterventionKind = "budget"
) -> Cut:
    """The cut that closes the reasoning in as few tokens as possible and lets the model answer."""
    return Cut(kind, progress.closing, detail, State("answer"), ended_by)
