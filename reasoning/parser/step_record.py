"""The steps of one stream as they are opened, filled and ended; each change becomes an event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from steiner.reasoning import events
from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.protocol import BoundSection, Verdict
from steiner.reasoning.steps import Backtrack, Decision, Section, Step


class LivePath:
    """Ids of the steps from the problem to the one that the next step continues.

    The place is unknown if a model breaks the protocol, or if the protocol's backtracks name no depth. It is then
    reported as unknown, and not guessed.
    """

    def __init__(self) -> None:
        self._ids: list[int | None] | None = []
        self._tip: int | None = 0

    @property
    def next_depth(self) -> int | None:
        """Depth of a step that begins now; None if unknown."""
        return None if self._ids is None else len(self._ids) + 1

    @property
    def tip(self) -> int | None:
        """Id of the step that the next one continues; 0 is the problem, None unknown."""
        return self._tip

    @property
    def num_steps(self) -> int | None:
        """Steps on the path, including the last one; None if unknown."""
        return None if self._ids is None else len(self._ids)

    def push(self, step_id: int) -> None:
        """A step began at the tip."""
        if self._ids is not None:
            self._ids.append(step_id)
        self._tip = step_id

    def return_to(self, depth: int | None) -> None:
        """A backtrack to a depth above the last step's; None if the depth is unknown."""
        if depth is None:
            self._ids, self._tip = None, None
        elif self._ids is None:
            self._ids, self._tip = [None] * depth, None if depth else 0
        else:
            self._ids = self._ids[:depth]
            self._tip = self._ids[-1] if self._ids else 0


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
        cut_section: whether the last of them was ended by force.
        is_ended: whether its end marker came, so that the decision is due.
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
        """The step so far, including the open section with its text so far."""
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


class StepRecord:
    """Records what it is told, in any order. The reader decides whether the protocol allows it.

    Attributes:
        now_s: seconds since the generation began, for the next events.
        forced: whether the server appended what comes next.
        draft: the last step until its decision is known.
        path: the search's place in the tree.
        num_tokens: markers and text so far.
        num_backtracks: backtracks so far.
    """

    def __init__(self, new_decoder: Callable[[], SectionDecoder], log: EventLog) -> None:
        self.now_s = 0.0
        self.forced = False
        self.draft: StepDraft | None = None
        self.path = LivePath()
        self.num_tokens = 0
        self.num_backtracks = 0
        self._new_decoder = new_decoder
        self._log = log
        self._steps: list[Step] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps so far; one that is open or undecided comes last."""
        return tuple(self._steps) if self.draft is None else (*self._steps, self.draft.step())

    @property
    def section(self) -> SectionDraft | None:
        """The section that is open."""
        return None if self.draft is None else self.draft.section

    def count(self, num_tokens: int, *, also_ended: bool = False) -> None:
        """Tokens of the reasoning, and of the step if one is open.

        Args:
            also_ended: whether they are also those of a step whose end has come.
        """
        self.num_tokens += num_tokens
        draft = self.draft
        if draft is not None and (also_ended or not draft.is_ended):
            draft.num_tokens += num_tokens

    def start_step(self) -> None:
        """A step at the tip of the path."""
        depth, parent = self.path.next_depth, self.path.tip
        self.draft = StepDraft(len(self._steps) + 1, depth, parent, self.now_s)
        self.path.push(self.draft.id)
        self._log.say(events.StepStarted, step=self.draft.id, depth=depth, parent=parent)

    def start_section(self, draft: StepDraft, section: BoundSection) -> None:
        """A section of the open step."""
        draft.section = SectionDraft(section, self._new_decoder())
        self._log.say(events.SectionStarted, step=draft.id, role=section.role, name=section.name)

    def add_text(self, section: SectionDraft, ids: Sequence[int], text: str | None = None) -> None:
        """Text of the open section; what the ids complete is one delta.

        Args:
            text: what they say, where it is known.
        """
        section.num_tokens += len(ids)
        self._say_text(section, section.decoder.feed(ids) if text is None else text)

    def verify(self, draft: StepDraft, section: SectionDraft, verdict: Verdict) -> None:
        """A verdict, which ends the text of its section."""
        self._say_text(section, section.decoder.flush(cut_off=self.forced))
        draft.verdict = verdict
        draft.verdict_forced = self.forced
        self._log.say(events.StepVerified, step=draft.id, verdict=verdict, forced=self.forced)

    def mark_repeat(self, of_step: int) -> None:
        """Note which earlier step the open one repeats. Has no effect if none is open."""
        if self.draft is not None:
            self.draft.repeats = of_step

    def end_section(self, *, cut_off: bool = False) -> None:
        """The open section has all its text; without one, nothing.

        Args:
            cut_off: whether the tokens ended inside it; forced tokens end a section in the same way.
        """
        draft = self.draft
        if draft is None or draft.section is None:
            return
        self._say_text(draft.section, draft.section.decoder.flush(cut_off=cut_off or self.forced))
        done, draft.section = draft.section.section(), None
        draft.sections.append(done)
        self._log.say(
            events.SectionDone, step=draft.id, role=done.role, text=done.text, num_tokens=done.num_tokens
        )

    def end_step(self, draft: StepDraft) -> None:
        """The open step has all its sections; its decision is due."""
        draft.is_ended = True
        draft.finished_s = self.now_s

    def decide(self, decision: Decision | None, forced: bool = False) -> None:
        """The decision after the last step, or None if it stays without one."""
        draft, self.draft = self.draft, None
        if draft is None:
            return
        if draft.finished_s is None:
            draft.finished_s = self.now_s
        step = draft.step(decision, forced)
        self._steps.append(step)
        self._log.say_done(step)

    def return_to(self, depth: int | None, forced: bool) -> None:
        """The decision to go back."""
        from_step = 0 if self.draft is None else self.draft.id
        self.decide(Backtrack(to_depth=depth), forced)
        self.path.return_to(depth)
        self.num_backtracks += 1
        self._log.say(events.Backtracked, from_step=from_step, to_depth=depth, to_step=self.path.tip)

    def interrupt(self, *, cut_off: bool = False) -> None:
        """The last step is cut off: it ends as it is, undecided."""
        if self.draft is not None:
            self.end_section(cut_off=cut_off)
            self.draft.interrupted = True
            self.decide(None)

    def _say_text(self, section: SectionDraft, text: str) -> None:
        if text and self.draft is not None:
            section.pieces.append(text)
            self._log.say_delta(self.draft.id, section.bound.role, text)
