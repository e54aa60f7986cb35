"""Reads what lies between the start and the end of reasoning: steps, their sections, verdicts and decisions.

Where a protocol leaves out the markers of steps or of their one section, text opens them and what ends the reasoning or
the step ends them too.
"""

from collections.abc import Callable, Sequence

from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.parser.step_record import SectionDraft, StepDraft, StepRecord
from steiner.reasoning.protocol import MAX_DEPTH, BoundProtocol
from steiner.reasoning.steps import End, Proceed


class StepReader:
    """Follows markers wherever they lead, and says where they break the protocol.

    Attributes:
        record: the steps so far.
    """

    def __init__(
        self, bound: BoundProtocol, new_decoder: Callable[[], SectionDecoder], log: EventLog
    ) -> None:
        self.record = StepRecord(new_decoder, log)
        self._bound = bound
        self._new_decoder = new_decoder
        self._log = log
        self._spelled: list[int] | None = None
        self._backtrack_forced = False
        self._stray: list[int] = []
        self._stray_texts: list[str] = []
        self._space_is_of_step = False
        self._sections = {section.start_id: section for section in bound.sections}
        self._unmarked = self._sections.get(None)
        # A protocol without a marker has None in its place, which no token is.
        self._read: dict[int | None, Callable[[int], None]] = {
            bound.step_start_id: self._start_step,
            bound.step_end_id: self._end_step,
            bound.proceed_id: self._proceed,
            bound.backtrack_id: self._backtrack,
            **{section.start_id: self._start_section for section in bound.sections},
            **{section.end_id: self._end_section for section in bound.sections},
            bound.verified_id: self._verify,
            bound.refuted_id: self._verify,
        }

    def take_text(self, ids: Sequence[int], text: str | None = None) -> None:
        """Ids that are not special; in a section they are one delta.

        Args:
            text: what they say, where it is known.
        """
        record = self.record
        if self._spelled is not None and text is None:
            record.count(len(ids))
            self._spelled.extend(ids)
            return
        if text is not None:
            self._settle_depth()
        if record.draft is None or self._unmarked is not None:
            self._open_unmarked()
        record.count(len(ids))
        section = record.section
        if section is None or self._is_judged(section):
            self._stray.extend(ids)
            if text is not None:
                self._stray_texts.append(text)
        else:
            record.add_text(section, ids, text)

    def take_space(self, num_tokens: int) -> None:
        """White space of the layout, which belongs to the marker before it."""
        self.record.count(num_tokens, also_ended=self._space_is_of_step)

    def take_depth(self, depth_id: int, num_tokens: int) -> None:
        """A depth that is one unit, behind the backtrack that names it."""
        self.record.count(num_tokens)
        if self._spelled is not None:
            self._spelled.append(depth_id)

    def take_marker(self, token_id: int, num_tokens: int = 1) -> None:
        """A special id other than the start and end of reasoning and the end of the turn."""
        self._settle()
        self._space_is_of_step = token_id == self._bound.step_end_id
        if token_id == self._bound.step_start_id:
            self._start_step(token_id)
            self.record.count(num_tokens)
            return
        if token_id in self._sections:
            self._open_unmarked_step()
        self.record.count(num_tokens)
        read = self._read.get(token_id)
        if read is None:
            self._log.violate("a special token that is no marker of the protocol", token_id)
        else:
            read(token_id)

    def end(self) -> None:
        """The end of reasoning: the decision behind the last step, or the interruption of an open one."""
        if self.record.forced:
            self._drop_begun_depth()
        self._settle()
        draft = self.record.draft
        if draft is None:
            return
        if self._bound.step_end_id is None:
            self._close_step(draft)
        if draft.is_ended and not draft.interrupted:
            self.record.decide(End(), self.record.forced)
            return
        if not draft.is_ended:
            self._log.violate("the end of reasoning inside of a step", self._bound.reasoning_end_id)
        self.record.interrupt()

    def cut(self) -> None:
        """The stream stops at any place: as `interrupt`, and half a character or depth is nobody's fault."""
        self._drop_begun_depth()
        self._settle()
        self.record.interrupt(cut_off=True)

    def interrupt(self) -> None:
        """No more comes: end what is open, and leave it undecided."""
        self._settle()
        self.record.interrupt()

    def _drop_begun_depth(self) -> None:
        """Leave a backtrack undecided whose depth may have more digits; "1" might have become "12"."""
        begun = self._spelled
        if begun is None:
            return
        num_steps = self.record.path.num_steps
        legal = self._bound.rests_of_depths(begun, MAX_DEPTH + 1 if num_steps is None else num_steps)
        if next(legal, None) is not None:
            self._spelled = None

    def _settle(self) -> None:
        """Say what a marker or the end makes certain: text that belongs nowhere, the depth of a backtrack."""
        if self._stray or self._stray_texts:
            ids, self._stray = self._stray, []
            texts, self._stray_texts = self._stray_texts, []
            text = "".join(texts) if texts else self._decoded(ids)
            self._log.violate("text outside of a section", ids[0] if ids else None, text)
        self._settle_depth()

    def _settle_depth(self) -> None:
        if self._spelled is not None:
            ids, self._spelled = self._spelled, None
            self.record.return_to(self._legal_depth(ids), self._backtrack_forced)

    def _open_unmarked(self) -> None:
        """Open the step and the section that have no marker, in front of text."""
        self._open_unmarked_step()
        draft = self.record.draft
        if self._unmarked is None or draft is None or draft.is_ended or draft.section is not None:
            return
        self.record.start_section(draft, self._unmarked)

    def _open_unmarked_step(self) -> None:
        if self.record.draft is None and self._bound.step_start_id is None:
            self.record.start_step()

    def _is_judged(self, section: SectionDraft) -> bool:
        """Whether a verdict has ended the text of the section."""
        draft = self.record.draft
        return section.bound.role == "verification" and draft is not None and draft.verdict is not None

    def _start_step(self, token_id: int) -> None:
        draft = self.record.draft
        if draft is not None:
            self._log.violate("a step started before the last one was decided", token_id)
            if draft.is_ended:
                self.record.decide(None)
            self.interrupt()
            # Whether it goes on from the last step or beside it, the model has not said.
            self.record.path.return_to(None)
        self.record.start_step()

    def _start_section(self, token_id: int) -> None:
        record, section = self.record, self._sections[token_id]
        draft = record.draft
        if draft is None or draft.is_ended:
            self._log.violate("a section outside of a step", token_id)
            return
        if draft.section is not None:
            self._log.violate("a section inside of a section", token_id)
            record.end_section()
        due = self._bound.sections[len(draft.sections) :]
        if not due or section is not due[0]:
            expected = f"section {due[0].name}" if due else "the end of the step"
            self._log.violate(f"section {section.name} where {expected} belongs", token_id)
        record.start_section(draft, section)

    def _verify(self, token_id: int) -> None:
        draft, section = self.record.draft, self.record.section
        verdict = self._bound.verdict_of(token_id)
        if (
            draft is None
            or section is None
            or verdict is None
            or section.bound.role != "verification"
            or draft.verdict is not None
        ):
            self._log.violate("a verdict outside of an undecided verification", token_id)
            return
        self.record.verify(draft, section, verdict)

    def _end_section(self, token_id: int) -> None:
        draft, section = self.record.draft, self.record.section
        if draft is None or section is None or section.bound.end_id != token_id:
            self._log.violate("the end of a section that is not open", token_id)
            return
        forced = self.record.forced
        if not forced:
            is_judged = section.bound.role == "verification" and self._bound.protocol.has_verdicts
            if is_judged and draft.verdict is None:
                self._log.violate("a verification without a verdict", token_id)
            if not (section.num_tokens or section.pieces):
                self._log.violate("a section without text", token_id)
        draft.cut_section = forced
        self.record.end_section()

    def _end_step(self, token_id: int) -> None:
        draft = self.record.draft
        if draft is None or draft.is_ended:
            self._log.violate("the end of a step that is not open", token_id)
            return
        self._close_step(draft, token_id)

    def _close_step(self, draft: StepDraft, token_id: int | None = None) -> None:
        """End an open step at its marker, or where its protocol has none."""
        if draft.section is not None:
            if draft.section.bound.end_id is None:
                draft.cut_section = self.record.forced
            else:
                self._log.violate("the end of a step inside of a section", token_id)
            self.record.end_section()
        self.record.end_step(draft)
        is_short = len(draft.sections) < len(self._bound.sections)
        if self.record.forced:
            draft.interrupted = is_short or draft.cut_section
        elif is_short:
            self._log.violate("a step with sections missing", token_id)

    def _proceed(self, token_id: int) -> None:
        if self._is_decision_due(token_id):
            if self.record.draft is not None and self.record.draft.verdict == "refuted":
                self._log.violate("a refuted step that is proceeded from", token_id)
            self.record.decide(Proceed(), self.record.forced)

    def _backtrack(self, token_id: int) -> None:
        if self._is_decision_due(token_id):
            self._backtrack_forced = self.record.forced
            if self._bound.protocol.names_depth:
                self._spelled = []
            else:
                self.record.return_to(None, self._backtrack_forced)

    def _is_decision_due(self, token_id: int) -> bool:
        is_due = self.record.draft is not None and self.record.draft.is_ended
        if not is_due:
            self._log.violate("a decision that follows no step", token_id)
        return is_due

    def _legal_depth(self, ids: list[int]) -> int | None:
        """The depth that is spelled; None, and a violation, if the live path has no such place."""
        depth = self._bound.depth_of(ids)
        num_steps = self.record.path.num_steps
        if depth is None or (num_steps is not None and depth >= num_steps):
            token_id = ids[0] if ids else None
            self._log.violate("a backtrack to no place on the live path", token_id, self._decoded(ids))
            return None
        return depth

    def _decoded(self, ids: Sequence[int]) -> str:
        markers = self._bound.text
        if markers is not None:
            return "".join(markers.tags.get(token_id, "") for token_id in ids)
        decoder = self._new_decoder()
        return decoder.feed(ids) + decoder.flush()
