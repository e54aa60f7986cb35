"""A step and its open section while they are being read."""

from dataclasses import dataclass, field

from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.protocol import BoundSection
from steiner.reasoning.steps import Decision, Section, Step, Verdict


@dataclass(slots=True)
class SectionDraft:
    """The open section: its text comes in pieces."""

    bound: BoundSection
    decoder: SectionDecoder
    pieces: list[str] = field(default_factory=list)
    num_tokens: int = 0

    def section(self) -> Section:
        """The section so far."""
        return Section(
            role=self.bound.role,
            name=self.bound.name,
            text="".join(self.pieces),
            num_tokens=self.num_tokens,
        )


@dataclass(slots=True)
class StepDraft:
    """The last step until its decision is known.

    Attributes:
        sections: those that have ended.
        cut_section: the last of them was ended by force.
        is_ended: its end marker came; the decision is due.
    """

    id: int
    depth: int | None
    parent: int | None
    started_s: float
    sections: list[Section] = field(default_factory=list)
    section: SectionDraft | None = None
    cut_section: bool = False
    verdict: Verdict | None = None
    verdict_forced: bool = False
    repeats: int | None = None
    num_tokens: int = 0
    is_ended: bool = False
    interrupted: bool = False
    finished_s: float | None = None

    def step(self, decision: Decision | None = None, decision_forced: bool = False) -> Step:
        """The step so far, the open section with the text that it has."""
        open_section = () if self.section is None else (self.section.section(),)
        return Step(
            id=self.id,
            depth=self.depth,
            parent=self.parent,
            sections=(*self.sections, *open_section),
            verdict=self.verdict,
            verdict_forced=self.verdict_forced,
            repeats=self.repeats,
            decision=decision,
            decision_forced=decision_forced,
            interrupted=self.interrupted,
            num_tokens=self.num_tokens,
            started_s=self.started_s,
            finished_s=self.finished_s,
        )
