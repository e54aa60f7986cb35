"""What an intervention is: a look at each token before it is accepted, and a cut in its stead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from steiner.reasoning.automaton import State
from steiner.reasoning.events import EndedBy, InterventionKind
from steiner.server.progress import Progress


@dataclass(frozen=True, slots=True)
class Cut:
    """The sequence ends before the token under review and goes on with forced ones.

    Attributes:
        kind: for events and metrics.
        forced: tokens to append; the generation then continues behind them.
        detail: the reason, for a person.
        resume: where the sequence stands behind them, for the grammar of what follows.
        ended_by: why, if the forced tokens end the reasoning.
    """

    kind: InterventionKind
    forced: tuple[int, ...]
    detail: str
    resume: State
    ended_by: EndedBy


class Intervention(Protocol):
    """One reason to cut. Called for every token, so a look must cost next to nothing when there is none."""

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Whether to cut in place of accepting this token."""
        ...


def end_of_reasoning(progress: Progress, detail: str, ended_by: EndedBy) -> Cut:
    """The cut that closes the reasoning in as few tokens as it takes and lets the model answer."""
    return Cut("budget", progress.closing, detail, State("answer"), ended_by)
