"""Token ids to typed events, by id and never by text.

The parser is tolerant: on a model that breaks the protocol it reports a violation and keeps the text. What is legal
under a policy is the automaton's to say; the parser follows the markers wherever they lead.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from steiner.reasoning import events
from steiner.reasoning.decoding import SectionDecoder
from steiner.reasoning.event_log import EventLog, EventType
from steiner.reasoning.events import EndedBy, Event, FinishReason
from steiner.reasoning.opening import Opening
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.step_reader import StepReader
from steiner.reasoning.trace import Trace

ParserPhase = Opening | Literal["done"]


class Parser:
    """Feed it every id of a completion in order; any chunking gives the same events but for the cuts between deltas.

    Args:
        new_decoder: makes a decoder for each section and for the answer.
        opening: where the completion begins, as `opening_of` reads it off the prompt.

    Attributes:
        phase: where the stream stands.
        num_answer_tokens: tokens of the answer's text so far.
        num_forced_tokens: tokens that were fed as forced.
    """

    def __init__(
        self, bound: BoundProtocol, new_decoder: Callable[[], SectionDecoder], opening: Opening = "before"
    ) -> None:
        self.phase: ParserPhase = opening
        self.num_answer_tokens = 0
        self.num_forced_tokens = 0
        self._bound = bound
        self._new_decoder = new_decoder
        self._log = EventLog()
        self._reader = StepReader(bound, new_decoder, self._log)
        self._record = self._reader.record
        self._ended_by: EndedBy | None = None
        self._finish_reason: FinishReason | None = None
        self._answer: list[str] = []
        self._answer_decoder = new_decoder()
        self._behind: list[int] = []

    @property
    def num_reasoning_tokens(self) -> int:
        """Tokens between the start and the end of reasoning so far, both excluded."""
        return self._record.num_tokens

    @property
    def num_violations(self) -> int:
        """Times the protocol was broken so far."""
        return self._log.num_violations

    @property
    def trace(self) -> Trace:
        """The tree so far; an open step stands last in it."""
        return Trace(
            protocol=self._bound.protocol.name,
            steps=self._record.steps,
            answer="".join(self._answer),
            ended_by=self._ended_by,
            finish_reason=self._finish_reason,
            num_reasoning_tokens=self.num_reasoning_tokens,
            num_answer_tokens=self.num_answer_tokens,
            num_forced_tokens=self.num_forced_tokens,
            num_violations=self.num_violations,
        )

    def emit(self, kind: type[EventType], /, **fields: Any) -> EventType:
        """An event of the caller's own, in the parser's numbering."""
        return self._log.number(kind, **fields)

    def mark_repeat(self, of_step: int) -> None:
        """Say of the open step that it repeats an earlier one; without effect where none is open."""
        self._reader.record.mark_repeat(of_step)

    def feed(
        self, token_ids: Sequence[int], forced: bool = False, now_s: float = 0.0, ended_by: EndedBy = "model"
    ) -> list[Event]:
        """Events that these ids bring about; text that stands together is one delta.

        Args:
            forced: the ids were appended by the server and not sampled.
            now_s: seconds since the generation began.
            ended_by: reported where these ids end the reasoning.
        """
        self._record.now_s, self._record.forced = now_s, forced
        self.num_forced_tokens += len(token_ids) if forced else 0
        special = self._bound.special_ids
        run: list[int] = []
        for token_id in token_ids:
            if token_id not in special:
                run.append(token_id)
                continue
            if run:
                self._take_text(run)
                run = []
            self._take_marker(token_id, ended_by)
        if run:
            self._take_text(run)
        return self._log.take()

    def close(self, finish_reason: FinishReason, now_s: float = 0.0) -> list[Event]:
        """Events that end what is still open; the parser is then done."""
        self._record.now_s, self._record.forced = now_s, False
        self._reader.cut()
        self._report_behind()
        self._finish(finish_reason)
        return self._log.take()

    def _take_text(self, ids: Sequence[int]) -> None:
        if self.phase == "before":
            self._log.violate("text before the start of reasoning; taken as the answer", ids[0])
            self.phase = "answer"
        match self.phase:
            case "reasoning":
                self._reader.take_text(ids)
            case "answer":
                self.num_answer_tokens += len(ids)
                self._say_answer(self._answer_decoder.feed(ids))
            case "done":
                self._behind.extend(ids)

    def _take_marker(self, token_id: int, ended_by: EndedBy) -> None:
        bound = self._bound
        self._report_behind()
        if token_id == bound.end_of_turn_id:
            self._end_turn(token_id)
        elif token_id == bound.reasoning_start_id:
            self._start_reasoning(token_id)
        elif self.phase != "reasoning":
            self._log.violate("a marker outside of the reasoning", token_id)
        elif token_id == bound.reasoning_end_id:
            self._end_reasoning(ended_by)
        else:
            self._reader.take_marker(token_id)

    def _start_reasoning(self, token_id: int) -> None:
        # A few stray characters in front of it are no reason to take all of the reasoning for the answer.
        if self.phase == "before" or (self.phase == "answer" and self._ended_by is None):
            self.phase = "reasoning"
        else:
            self._log.violate("reasoning started twice", token_id)

    def _end_reasoning(self, ended_by: EndedBy) -> None:
        self._reader.end()
        self.phase = "answer"
        self._ended_by = ended_by
        self._log.say(
            events.ReasoningDone,
            ended_by=ended_by,
            num_steps=len(self._record.steps),
            num_backtracks=self._record.num_backtracks,
            num_reasoning_tokens=self.num_reasoning_tokens,
        )

    def _end_turn(self, token_id: int) -> None:
        if self.phase == "done":
            self._log.violate("the turn ended twice", token_id)
            return
        if self.phase != "answer" or not self.num_answer_tokens:
            self._log.violate("the turn ended without an answer", token_id)
        self._reader.interrupt()
        self._finish("stop")

    def _report_behind(self) -> None:
        if self._behind:
            ids, self._behind = self._behind, []
            decoder = self._new_decoder()
            self._log.violate("text behind the end of the turn", ids[0], decoder.feed(ids) + decoder.flush())

    def _say_answer(self, text: str) -> None:
        if text:
            self._answer.append(text)
            self._log.say(events.AnswerDelta, text=text)

    def _finish(self, finish_reason: FinishReason) -> None:
        if self.phase == "done":
            return
        if self.phase == "answer":
            self._say_answer(self._answer_decoder.flush())
            self._log.say(
                events.AnswerDone,
                text="".join(self._answer),
                num_tokens=self.num_answer_tokens,
                finish_reason=finish_reason,
            )
        self.phase = "done"
        self._finish_reason = finish_reason
