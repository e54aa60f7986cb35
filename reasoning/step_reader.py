"""Reads what lies between the start and the end of reasoning: steps, their sections, verdicts and decisions."""

from collections.abc import Callable, Sequence

from steiner.reasoning import events
from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.event_log import EventLog
from steiner.reasoning.live_path import LivePath
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.step_draft import SectionDraft, StepDraft
from steiner.reasoning.steps import Backtrack, Decision, End, Proceed, Step, Verdict


class StepReader:
    """Follows markers wherever they lead, and says where they break the protocol.

    Attributes:
        now_s: seconds since the generation began, for what is read next.
        forced: whether the server appended what is read next.
        num_tokens: markers and text so far.
        num_backtracks: backtracks so far.
    """

    def __init__(
        self, bound: BoundProtocol, new_decoder: Callable[[], SectionDecoder], log: EventLog
    ) -> None:
        self.now_s = 0.0
        self.forced = False
        self.num_tokens = 0
        self.num_backtracks = 0
        self._bound = bound
        self._new_decoder = new_decoder
        self._log = log
        self._steps: list[Step] = []
        self._draft: StepDraft | None = None
        self._path = LivePath()
        self._spelled: list[int] | None = None
        self._backtrack_forced = False
        self._stray: list[int] = []
        self._depths = {ids: depth for depth, ids in enumerate(bound.depth_ids)}
        self._sections = {section.start_id: section for section in bound.sections}
        self._verdicts: dict[int, Verdict] = {}
        if bound.verified_id is not None and bound.refuted_id is not None:
            self._verdicts = {bound.verified_id: "verified", bound.refuted_id: "refuted"}
        self._read: dict[int, Callable[[int], None]] = {
            bound.step_start_id: self._start_step,
            bound.step_end_id: self._end_step,
            bound.proceed_id: self._proceed,
            bound.backtrack_id: self._backtrack,
            **{section.start_id: self._start_section for section in bound.sections},
            **{section.end_id: self._end_section for section in bound.sections},
            **dict.fromkeys(self._verdicts, self._verify),
        }

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps so far; the one that is open or undecided stands last."""
        return tuple(self._steps) if self._draft is None else (*self._steps, self._draft.step())

    def take_text(self, ids: Sequence[int]) -> None:
        """Ids that are not special; in a section they are one delta."""
        self._count(len(ids))
        section = None if self._draft is None else self._draft.section
        if self._spelled is not None:
            self._spelled.extend(ids)
        elif section is None or self._is_judged(section):
            self._stray.extend(ids)
        else:
            section.num_tokens += len(ids)
            self._say_text(section, section.decoder.feed(ids))

    def take_marker(self, token_id: int) -> None:
        """A special id other than the start and end of reasoning and the end of the turn."""
        self._settle()
        if token_id == self._bound.step_start_id:
            self._start_step(token_id)
            self._count(1)
            return
        self._count(1)
        read = self._read.get(token_id)
        if read is None:
            self._log.violate("a special token that is no marker of the protocol", token_id)
        else:
            read(token_id)

    def end(self) -> None:
        """The end of reasoning: the decision behind the last step, or the interruption of an open one."""
        if self.forced:
            self._drop_begun_depth()
        self._settle()
        draft = self._draft
        if draft is None:
            return
        if draft.is_ended and not draft.interrupted:
            self._finish_step(End(), self.forced)
            return
        if not draft.is_ended:
            self._log.violate("the end of reasoning inside of a step", self._bound.reasoning_end_id)
        self.interrupt()

    def cut(self) -> None:
        """The stream stops at any place: as `interrupt`, and a depth that is being spelled is nobody's fault."""
        self._drop_begun_depth()
        self.interrupt()

    def interrupt(self) -> None:
        """No more comes: end what is open, and leave it undecided."""
        self._settle()
        if self._draft is not None:
            self._finish_section()
            self._draft.interrupted = True
            self._finish_step(None)

    def _drop_begun_depth(self) -> None:
        """Leave a backtrack undecided whose depth may have more digits; "1" might have become "12"."""
        begun = self._spelled
        if begun is None:
            return
        num_steps = self._path.num_steps
        legal = self._bound.depth_ids if num_steps is None else self._bound.depth_ids[:num_steps]
        if any(ids[: len(begun)] == tuple(begun) for ids in legal):
            self._spelled = None

    def _settle(self) -> None:
        """Say what a marker or the end makes certain: text that belongs nowhere, the depth of a backtrack."""
        if self._stray:
            ids, self._stray = self._stray, []
            self._log.violate("text outside of a section", ids[0], self._decoded(ids))
        if self._spelled is not None:
            ids, self._spelled = self._spelled, None
            self._return_to(self._legal_depth(ids))

    def _count(self, num_tokens: int) -> None:
        self.num_tokens += num_tokens
        if self._draft is not None and not self._draft.is_ended:
            self._draft.num_tokens += num_tokens

    def _is_judged(self, section: SectionDraft) -> bool:
        """Whether a verdict has ended the text of the section."""
        return (
            section.bound.role == "verification"
            and self._draft is not None
            and self._draft.verdict is not None
        )

    def _start_step(self, token_id: int) -> None:
        if self._draft is not None:
            self._log.violate("a step started before the last one was decided", token_id)
            if self._draft.is_ended:
                self._finish_step(None)
            self.interrupt()
            # Whether it goes on from the last step or beside it, the model has not said.
            self._path.return_to(None)
        depth, parent = self._path.next_depth, self._path.tip
        self._draft = StepDraft(len(self._steps) + 1, depth, parent, self.now_s)
        self._path.push(self._draft.id)
        self._log.say(events.StepStarted, step=self._draft.id, depth=depth, parent=parent)

    def _start_section(self, token_id: int) -> None:
        draft, section = self._draft, self._sections[token_id]
        if draft is None or draft.is_ended:
            self._log.violate("a section outside of a step", token_id)
            return
        if draft.section is not None:
            self._log.violate("a section inside of a section", token_id)
            self._finish_section()
        due = self._bound.sections[len(draft.sections) :]
        if not due or section is not due[0]:
            expected = f"section {due[0].name}" if due else "the end of the step"
            self._log.violate(f"section {section.name} where {expected} belongs", token_id)
        draft.section = SectionDraft(section, self._new_decoder())
        self._log.say(events.SectionStarted, step=draft.id, role=section.role, name=section.name)

    def _verify(self, token_id: int) -> None:
        draft = self._draft
        section = None if draft is None else draft.section
        if (
            draft is None
            or section is None
            or section.bound.role != "verification"
            or draft.verdict is not None
        ):
            self._log.violate("a verdict outside of an undecided verification", token_id)
            return
        self._say_text(section, section.decoder.flush())
        draft.verdict = self._verdicts[token_id]
        draft.verdict_forced = self.forced
        self._log.say(events.StepVerified, step=draft.id, verdict=draft.verdict, forced=self.forced)

    def _end_section(self, token_id: int) -> None:
        draft = self._draft
        section = None if draft is None else draft.section
        if draft is None or section is None or section.bound.end_id != token_id:
            self._log.violate("the end of a section that is not open", token_id)
            return
        if not self.forced:
            if section.bound.role == "verification" and self._verdicts and draft.verdict is None:
                self._log.violate("a verification without a verdict", token_id)
            if not section.num_tokens:
                self._log.violate("a section without text", token_id)
        draft.cut_section = self.forced
        self._finish_section()

    def _end_step(self, token_id: int) -> None:
        draft = self._draft
        if draft is None or draft.is_ended:
            self._log.violate("the end of a step that is not open", token_id)
            return
        if draft.section is not None:
            self._log.violate("the end of a step inside of a section", token_id)
            self._finish_section()
        draft.is_ended = True
        draft.finished_s = self.now_s
        is_short = len(draft.sections) < len(self._bound.sections)
        if self.forced:
            draft.interrupted = is_short or draft.cut_section
        elif is_short:
            self._log.violate("a step with sections missing", token_id)

    def _proceed(self, token_id: int) -> None:
        if self._is_decision_due(token_id):
            if self._draft is not None and self._draft.verdict == "refuted":
                self._log.violate("a refuted step that is proceeded from", token_id)
            self._finish_step(Proceed(), self.forced)

    def _backtrack(self, token_id: int) -> None:
        if self._is_decision_due(token_id):
            self._backtrack_forced = self.forced
            if self._bound.protocol.names_depth:
                self._spelled = []
            else:
                self._return_to(None)

    def _is_decision_due(self, token_id: int) -> bool:
        is_due = self._draft is not None and self._draft.is_ended
        if not is_due:
            self._log.violate("a decision that follows no step", token_id)
        return is_due

    def _legal_depth(self, ids: list[int]) -> int | None:
        """The depth that is spelled; None, and a violation, if the live path has no such place."""
        depth = self._depths.get(tuple(ids))
        num_steps = self._path.num_steps
        if depth is None or (num_steps is not None and depth >= num_steps):
            token_id = ids[0] if ids else None
            self._log.violate("a backtrack to no place on the live path", token_id, self._decoded(ids))
            return None
        return depth

    def _return_to(self, depth: int | None) -> None:
        from_step = 0 if self._draft is None else self._draft.id
        self._finish_step(Backtrack(to_depth=depth), self._backtrack_forced)
        self._path.return_to(depth)
        self.num_backtracks += 1
        self._log.say(events.Backtracked, from_step=from_step, to_depth=depth, to_step=self._path.tip)

    def _finish_section(self) -> None:
        draft = self._draft
        if draft is None or draft.section is None:
            return
        self._say_text(draft.section, draft.section.decoder.flush())
        done, draft.section = draft.section.section(), None
        draft.sections.append(done)
        self._log.say(
            events.SectionDone, step=draft.id, role=done.role, text=done.text, num_tokens=done.num_tokens
        )

    def _finish_step(self, decision: Decision | None, decision_forced: bool = False) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        if draft.finished_s is None:
            draft.finished_s = self.now_s
        step = draft.step(decision, decision_forced)
        self._steps.append(step)
        self._log.say(
            events.StepDone,
            step=step.id,
            verdict=step.verdict,
            decision=step.decision,
            interrupted=step.interrupted,
            num_tokens=step.num_tokens,
        )

    def _say_text(self, section: SectionDraft, text: str) -> None:
        if text and self._draft is not None:
            section.pieces.append(text)
            self._log.say(events.SectionDelta, step=self._draft.id, role=section.bound.role, text=text)

    def _decoded(self, ids: Sequence[int]) -> str:
        decoder = self._new_decoder()
        return decoder.feed(ids) + decoder.flush()
