"""Token ids to typed events, one id at a time and never by text.

The parser is tolerant: on a model that breaks the protocol it reports a violation and keeps the text. What
is legal is the automaton's to say; the parser follows the markers wherever they lead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from steiner.reasoning import events
from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.events import EndedBy, Event, FinishReason
from steiner.reasoning.protocol import BoundProtocol, BoundSection
from steiner.reasoning.steps import Backtrack, Decision, End, Proceed, Section, Step, Verdict
from steiner.reasoning.trace import Trace

ParserPhase = Literal["before", "reasoning", "answer", "done"]
EventType = TypeVar("EventType", bound=events._Numbered)


@dataclass(slots=True)
class _OpenStep:
    id: int
    depth: int | None
    parent: int | None
    started_s: float
    sections: list[Section] = field(default_factory=list)
    verdict: Verdict | None = None
    verdict_forced: bool = False
    num_tokens: int = 0
    is_closed: bool = False
    interrupted: bool = False
    finished_s: float | None = None


@dataclass(slots=True)
class _OpenSection:
    bound: BoundSection
    decoder: SectionDecoder
    pieces: list[str] = field(default_factory=list)
    num_tokens: int = 0


class Parser:
    """Feed it every id of a completion in order; any chunking gives the same events but for the cuts between deltas.

    Args:
        new_decoder: makes a decoder for each section and for the answer.
    """

    def __init__(self, bound: BoundProtocol, new_decoder: Callable[[], SectionDecoder]) -> None:
        self._bound = bound
        self._new_decoder = new_decoder
        self._starts = {section.start_id: section for section in bound.sections}
        self._ends = {section.end_id: section for section in bound.sections}
        self._verdicts: dict[int | None, Verdict] = {bound.verified_id: "verified", bound.refuted_id: "refuted"}
        self._verdicts.pop(None, None)
        self._events: list[Event] = []
        self._last_number = 0
        self._now_s = 0.0
        self._forced = False
        self.phase: ParserPhase = "before"
        self.num_reasoning_tokens = 0
        self.num_answer_tokens = 0
        self.num_forced_tokens = 0
        self.num_violations = 0
        self._ended_by: EndedBy | None = None
        self._finish_reason: FinishReason | None = None
        self._steps: list[Step] = []
        self._path: list[int] = []
        self._num_backtracks = 0
        self._step: _OpenStep | None = None
        self._section: _OpenSection | None = None
        self._spelled: list[int] | None = None
        self._backtrack_forced = False
        self._next_depth: int | None = 1
        self._answer: list[str] = []
        self._answer_decoder = new_decoder()

    def emit(self, kind: type[EventType], /, **fields: Any) -> EventType:
        """An event of the conductor's own, in the parser's numbering."""
        self._last_number += 1
        return kind(sequence_number=self._last_number, **fields)

    def feed(
        self, token_ids: Sequence[int], forced: bool = False, now_s: float = 0.0, ended_by: EndedBy = "model"
    ) -> list[Event]:
        """Events that these ids bring about.

        Args:
            forced: the ids were appended by the server and not sampled.
            now_s: seconds since the generation began.
            ended_by: reported where these ids end the reasoning.
        """
        self._now_s = now_s
        self._forced = forced
        self.num_forced_tokens += len(token_ids) if forced else 0
        special = self._bound.special_ids
        run: list[int] = []
        for token_id in token_ids:
            if token_id not in special:
                run.append(token_id)
                continue
            if run:
                self._text(run)
                run = []
            self._marker(token_id, ended_by)
        if run:
            self._text(run)
        self._settle_depth()
        return self._taken()

    def close(self, finish_reason: FinishReason, now_s: float = 0.0) -> list[Event]:
        """Events that end what is still open; the parser is then done."""
        self._now_s = now_s
        if self.phase == "reasoning":
            self._settle_depth(certain=True)
            self._interrupt()
        if self.phase != "done":
            self._finish_answer(finish_reason)
        return self._taken()

    @property
    def trace(self) -> Trace:
        """The tree so far; the open step stands last in it."""
        steps = [*self._steps]
        if self._step is not None:
            steps.append(self._as_step(self._step, decision=None))
        return Trace(
            protocol=self._bound.protocol.name,
            steps=tuple(steps),
            answer="".join(self._answer),
            ended_by=self._ended_by,
            finish_reason=self._finish_reason,
            num_reasoning_tokens=self.num_reasoning_tokens,
            num_answer_tokens=self.num_answer_tokens,
            num_forced_tokens=self.num_forced_tokens,
            num_violations=self.num_violations,
        )

    def _taken(self) -> list[Event]:
        taken, self._events = self._events, []
        return taken

    def _say(self, kind: type[EventType], /, **fields: Any) -> None:
        self._events.append(self.emit(kind, **fields))  # type: ignore[arg-type]

    def _violate(self, detail: str, token_id: int | None, text: str = "") -> None:
        self.num_violations += 1
        self._say(events.Violation, detail=detail, token_id=token_id, text=text)

    def _text(self, ids: list[int]) -> None:
        if self.phase == "before":
            self._violate("text before the start of reasoning; taken as the answer", ids[0])
            self.phase = "answer"
        if self.phase == "answer":
            self.num_answer_tokens += len(ids)
            self._answer_text(self._answer_decoder.feed(ids))
            return
        if self.phase == "done":
            self._violate("text behind the end of the turn", ids[0], self._decoded(ids))
            return
        self._count(len(ids))
        if self._spelled is not None:
            self._spelled.extend(ids)
        elif self._section is not None and not (self._step and self._step.verdict and self._is_verification()):
            self._section.num_tokens += len(ids)
            self._section_text(self._section.decoder.feed(ids))
        else:
            self._violate("text outside of a section", ids[0], self._decoded(ids))

    def _marker(self, token_id: int, ended_by: EndedBy) -> None:
        bound = self._bound
        if token_id == bound.reasoning_start_id:
            self._start(token_id)
        elif token_id == bound.end_of_turn_id:
            self._end_turn(token_id)
        elif self.phase != "reasoning":
            self._violate("a marker outside of the reasoning", token_id)
        elif token_id == bound.reasoning_end_id:
            self._end_reasoning(ended_by)
        else:
            self._inside(token_id)

    def _inside(self, token_id: int) -> None:
        """A marker between the start and the end of reasoning; each counts as one reasoning token."""
        bound = self._bound
        if token_id == bound.step_start_id:
            self._settle_depth(certain=True)
            self._open_step(token_id)
            self._count(1)
            return
        self._count(1)
        if token_id in self._starts:
            self._open_section(token_id)
        elif token_id in self._ends:
            self._close_section(token_id)
        elif token_id in self._verdicts:
            self._verdict(token_id)
        elif token_id == bound.step_end_id:
            self._close_step(token_id)
        elif token_id in (bound.proceed_id, bound.backtrack_id):
            self._decide(token_id)
        else:
            self._violate("a special token that is no marker of the protocol", token_id)

    def _count(self, num_tokens: int) -> None:
        self.num_reasoning_tokens += num_tokens
        if self._step is not None and not self._step.is_closed:
            self._step.num_tokens += num_tokens

    def _start(self, token_id: int) -> None:
        if self.phase == "before":
            self.phase = "reasoning"
        else:
            self._violate("reasoning started twice", token_id)

    def _open_step(self, token_id: int) -> None:
        if self._step is not None:
            self._violate("a step started before the last one was decided", token_id)
            self._finish_step(None)
        parent = self._path[self._next_depth - 2] if self._next_depth and self._next_depth > 1 else 0
        self._step = _OpenStep(
            id=len(self._steps) + 1,
            depth=self._next_depth,
            parent=None if self._next_depth is None else parent,
            started_s=self._now_s,
        )
        self._say(events.StepStarted, step=self._step.id, depth=self._step.depth, parent=self._step.parent)

    def _open_section(self, token_id: int) -> None:
        section = self._starts[token_id]
        if self._step is None or self._step.is_closed:
            self._violate("a section outside of a step", token_id)
            return
        if self._section is not None:
            self._violate("a section inside of a section", token_id)
            self._finish_section()
        expected = self._bound.sections[min(len(self._step.sections), len(self._bound.sections) - 1)]
        if section is not expected:
            self._violate(f"section {section.name} where {expected.name} belongs", token_id)
        self._section = _OpenSection(section, self._new_decoder())
        self._say(events.SectionStarted, step=self._step.id, role=section.role, name=section.name)

    def _close_section(self, token_id: int) -> None:
        if self._section is None or self._section.bound.end_id != token_id:
            self._violate("the end of a section that is not open", token_id)
            return
        missing = self._is_verification() and self._verdicts and self._step and self._step.verdict is None
        if missing and not self._forced:
            self._violate("a verification without a verdict", token_id)
        self._finish_section()

    def _verdict(self, token_id: int) -> None:
        if self._step is None or not self._is_verification() or self._step.verdict is not None:
            self._violate("a verdict outside of an undecided verification", token_id)
            return
        if self._section is not None:
            self._section_text(self._section.decoder.flush())
        self._step.verdict = self._verdicts[token_id]
        self._step.verdict_forced = self._forced
        self._say(events.StepVerified, step=self._step.id, verdict=self._step.verdict, forced=self._forced)

    def _close_step(self, token_id: int) -> None:
        if self._step is None or self._step.is_closed:
            self._violate("the end of a step that is not open", token_id)
            return
        if self._section is not None:
            self._violate("the end of a step inside of a section", token_id)
            self._finish_section()
        self._step.is_closed = True
        self._step.finished_s = self._now_s
        if len(self._step.sections) < len(self._bound.sections) or (self._verdicts and self._step.verdict is None):
            self._step.interrupted = True
            if not self._forced:
                self._violate("a step with sections or its verdict missing", token_id)

    def _decide(self, token_id: int) -> None:
        if self._step is None or not self._step.is_closed:
            self._violate("a decision that follows no step", token_id)
            return
        if token_id == self._bound.proceed_id:
            depth = self._step.depth
            self._finish_step(Proceed())
            self._next_depth = None if depth is None else depth + 1
            return
        self._backtrack_forced = self._forced
        if self._bound.protocol.names_depth:
            self._spelled = []
        else:
            self._return_to(None)

    def _settle_depth(self, certain: bool = False) -> None:
        """Read the depth that is being spelled, as soon as no longer one can be meant."""
        if self._spelled is None or self._step is None:
            return
        spelled = tuple(self._spelled)
        legal = range(self._step.depth or 1)
        could_be = [d for d in legal if self._bound.depth_ids[d][: len(spelled)] == spelled]
        exact = next((d for d in could_be if self._bound.depth_ids[d] == spelled), None)
        if not certain and (not spelled or (could_be and (len(could_be) > 1 or exact is None))):
            return
        self._spelled = None
        if exact is None:
            text = self._decoded(list(spelled))
            self._violate("a backtrack to a depth that is not on the live path", spelled[0] if spelled else None, text)
        self._return_to(exact)

    def _return_to(self, depth: int | None) -> None:
        if self._step is None:
            return
        from_step = self._step.id
        self._num_backtracks += 1
        self._finish_step(Backtrack(to_depth=depth))
        self._next_depth = None if depth is None else depth + 1
        to_step = None if depth is None else self._path[depth - 1] if depth else 0
        self._say(events.Backtracked, from_step=from_step, to_depth=depth, to_step=to_step)

    def _end_reasoning(self, ended_by: EndedBy) -> None:
        self._settle_depth(certain=True)
        if self._step is not None:
            if self._step.is_closed and not self._step.interrupted:
                self._finish_step(End())
            else:
                if not self._forced:
                    self._violate("the end of reasoning inside of a step", self._bound.reasoning_end_id)
                self._interrupt()
        self.phase = "answer"
        self._ended_by = ended_by
        self._say(
            events.ReasoningDone,
            ended_by=ended_by,
            num_steps=len(self._steps),
            num_backtracks=self._num_backtracks,
            num_reasoning_tokens=self.num_reasoning_tokens,
        )

    def _end_turn(self, token_id: int) -> None:
        if self.phase == "reasoning":
            self._violate("the turn ended inside of the reasoning", token_id)
            self._interrupt()
        if self.phase == "done":
            self._violate("the turn ended twice", token_id)
            return
        self._finish_answer("stop")

    def _interrupt(self) -> None:
        if self._section is not None:
            self._finish_section()
        if self._step is not None:
            self._step.interrupted = True
            self._finish_step(None)

    def _finish_section(self) -> None:
        section, self._section = self._section, None
        if section is None or self._step is None:
            return
        if held := section.decoder.flush():
            section.pieces.append(held)
            self._say(events.SectionDelta, step=self._step.id, role=section.bound.role, text=held)
        text = "".join(section.pieces)
        done = Section(role=section.bound.role, name=section.bound.name, text=text, num_tokens=section.num_tokens)
        self._step.sections.append(done)
        self._say(
            events.SectionDone, step=self._step.id, role=done.role, text=done.text, num_tokens=done.num_tokens
        )

    def _finish_step(self, decision: Decision | None) -> None:
        open_step, self._step = self._step, None
        if open_step is None:
            return
        step = self._as_step(open_step, decision)
        self._steps.append(step)
        if step.depth is not None:
            self._path[step.depth - 1 :] = [step.id]
        self._say(
            events.StepDone,
            step=step.id,
            verdict=step.verdict,
            decision=step.decision,
            interrupted=step.interrupted,
            num_tokens=step.num_tokens,
        )

    def _as_step(self, step: _OpenStep, decision: Decision | None) -> Step:
        return Step(
            id=step.id,
            depth=step.depth,
            parent=step.parent,
            sections=tuple(step.sections),
            verdict=step.verdict,
            verdict_forced=step.verdict_forced,
            decision=decision,
            decision_forced=decision is not None
            and (self._backtrack_forced if isinstance(decision, Backtrack) else self._forced),
            interrupted=step.interrupted,
            num_tokens=step.num_tokens,
            started_s=step.started_s,
            finished_s=step.finished_s if step.finished_s is not None else self._now_s if decision else None,
        )

    def _section_text(self, text: str) -> None:
        if text and self._section is not None and self._step is not None:
            self._section.pieces.append(text)
            self._say(events.SectionDelta, step=self._step.id, role=self._section.bound.role, text=text)

    def _answer_text(self, text: str) -> None:
        if text:
            self._answer.append(text)
            self._say(events.AnswerDelta, text=text)

    def _finish_answer(self, finish_reason: FinishReason) -> None:
        self._answer_text(self._answer_decoder.flush())
        self._finish_reason = finish_reason
        if self.phase == "answer":
            self._say(
                events.AnswerDone,
                text="".join(self._answer),
                num_tokens=self.num_answer_tokens,
                finish_reason=finish_reason,
            )
        self.phase = "done"

    def _is_verification(self) -> bool:
        return self._section is not None and self._section.bound.role == "verification"

    def _decoded(self, ids: list[int]) -> str:
        decoder = self._new_decoder()
        return decoder.feed(ids) + decoder.flush()
