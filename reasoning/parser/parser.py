"""From token ids to typed events, by id and never by text.

The parser is tolerant: if a model breaks the protocol, it reports a violation and keeps the text. The automaton decides
what is legal under a policy. The parser follows the markers wherever they lead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from steiner.reasoning import events
from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.events import EndedBy, Event, FinishReason
from steiner.reasoning.parser.answer_reader import AnswerReader
from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.parser.event_log import EventLog, EventType
from steiner.reasoning.parser.scanner import SPACE, TEXT, Scanner, Unit
from steiner.reasoning.parser.step_reader import StepReader
from steiner.reasoning.parser.stop_strings import NO_STOP, StopRule
from steiner.reasoning.parser.tool_calls import ToolCallReader
from steiner.reasoning.protocol import BoundProtocol, Opening
from steiner.reasoning.trace import Trace

ParserPhase = Opening | Literal["done"]


class Parser:
    """Feed it every id of a completion in order. Any chunking gives the same events, except for cuts between deltas.

    Args:
        new_decoder: makes a decoder for each section and for the answer.
        opening: where the completion begins, as `opening_of` finds it in the prompt.
        stop: what ends the answer, other than the end of the turn.
        call_reader: finds calls of tools in the answer; None if it can have none.
        is_strict: whether a grammar keeps the model to the protocol; see `Scanner`.

    Attributes:
        phase: where the stream stands.
        num_forced_tokens: tokens that were fed as forced.
        scanner: finds the markers that are text; None where all are tokens.
    """

    def __init__(
        self,
        bound: BoundProtocol,
        new_decoder: Callable[[], SectionDecoder],
        opening: Opening = "before",
        stop: StopRule = NO_STOP,
        call_reader: ToolCallReader | None = None,
        *,
        is_strict: bool = True,
    ) -> None:
        self.phase: ParserPhase = opening
        self.scanner = (
            None if bound.text is None else Scanner(bound, bound.text, opening, is_strict=is_strict)
        )
        self.num_forced_tokens = 0
        self._bound = bound
        self._new_decoder = new_decoder
        self._log = EventLog()
        self._reader = StepReader(bound, new_decoder, self._log)
        self._record = self._reader.record
        self._ended_by: EndedBy | None = None
        self._finish_reason: FinishReason | None = None
        self._answer = AnswerReader(new_decoder(), self._log, stop, call_reader)
        self._behind: list[int] = []
        self._is_at_start = False

    @property
    def num_reasoning_tokens(self) -> int:
        """Tokens between the start and the end of reasoning so far, both excluded."""
        return self._record.num_tokens

    @property
    def num_answer_tokens(self) -> int:
        """Tokens of the answer's text so far."""
        return self._answer.num_tokens

    @property
    def stopped_by(self) -> str | int | None:
        """The stop string, or the id of the stop token, that ended the answer."""
        return self._answer.stopped_by

    @property
    def finish_reason(self) -> FinishReason | None:
        """How the generation ended; None before it did."""
        return self._finish_reason

    @property
    def num_violations(self) -> int:
        """Times the protocol was broken so far."""
        return self._log.num_violations

    @property
    def trace(self) -> Trace:
        """The tree so far; an open step is its last one."""
        return Trace(
            protocol=self._bound.protocol.name,
            steps=self._record.steps,
            answer=self._answer.text,
            tool_calls=self._answer.calls,
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
        """Note that the open step repeats an earlier one. Has no effect if none is open."""
        self._reader.record.mark_repeat(of_step)

    def feed(
        self,
        token_ids: Sequence[int],
        forced: bool = False,
        now_s: float = 0.0,
        ended_by: EndedBy = "model",
        logprobs: Sequence[AnswerToken] | None = None,
    ) -> list[Event]:
        """Events that these ids cause; adjacent text is one delta.

        Args:
            forced: whether the server appended the ids, so that they were not sampled.
            now_s: seconds since the generation began.
            ended_by: reported if these ids end the reasoning.
            logprobs: one for each id; those of the answer's text are emitted.
        """
        if self.scanner is not None:
            return self.feed_units(self._scanned(self.scanner, token_ids), forced, now_s, ended_by)
        record = self._record
        record.now_s, record.forced = now_s, forced
        if forced:
            self.num_forced_tokens += len(token_ids)
        special = self._bound.special_ids
        begin = 0
        for position, token_id in enumerate(token_ids):
            if token_id in special:
                if begin < position:
                    self._take_text(token_ids[begin:position], logprobs and logprobs[begin:position])
                self._take_marker(token_id, ended_by)
                begin = position + 1
        if not begin:
            self._take_text(token_ids, logprobs)
        elif begin < len(token_ids):
            self._take_text(token_ids[begin:], logprobs and logprobs[begin:])
        return self._log.take()

    def feed_units(
        self,
        units: Sequence[Unit],
        forced: bool = False,
        now_s: float = 0.0,
        ended_by: EndedBy = "model",
        logprobs: Sequence[AnswerToken] | None = None,
    ) -> list[Event]:
        """As `feed`, for what the scanner found.

        Args:
            logprobs: one for each token that begins in the units.
        """
        self._take_units(units, forced, now_s, ended_by, logprobs)
        return self._log.take()

    def count_rewritten(self, num_more: int, num_forced: int) -> None:
        """Note that a token was cut inside: what lies before the cut is written anew.

        Args:
            num_more: tokens that this takes beyond the one that gives way.
            num_forced: tokens that it takes.
        """
        self.num_forced_tokens += num_forced
        if self.phase == "reasoning":
            self._record.count(num_more)

    def close(self, finish_reason: FinishReason, now_s: float = 0.0) -> list[Event]:
        """Events that end what is still open; the parser is then done."""
        if self.scanner is not None:
            self.scanner.finish()
            self._take_units(self._scanned(self.scanner, ()), forced=False, now_s=now_s)
        self._record.now_s, self._record.forced = now_s, False
        self._reader.cut()
        self._report_behind()
        self._finish(finish_reason)
        return self._log.take()

    def _take_units(
        self,
        units: Sequence[Unit],
        forced: bool,
        now_s: float,
        ended_by: EndedBy = "model",
        logprobs: Sequence[AnswerToken] | None = None,
    ) -> None:
        record = self._record
        record.now_s, record.forced = now_s, forced
        begin, ids, pieces = 0, list[int](), list[str | None]()

        def take_text() -> None:
            text = None if None in pieces else "".join(filter(None, pieces))
            told = logprobs and logprobs[begin : begin + len(ids)]
            self._take_text(ids, told, text)

        for unit in units:
            if pieces and (unit.id != TEXT or (unit.text is None) != (pieces[-1] is None)):
                take_text()
                begin, ids, pieces = begin + len(ids), [], []
            if forced:
                self.num_forced_tokens += len(unit.token_ids)
            if unit.id == TEXT:
                ids.extend(unit.token_ids)
                pieces.append(unit.text)
            else:
                self._take_unit(unit, ended_by)
                begin += len(unit.token_ids)
        if pieces:
            take_text()

    def _scanned(self, scanner: Scanner, token_ids: Sequence[int]) -> list[Unit]:
        units = []
        for token_id in (*token_ids, None):
            if token_id is not None:
                scanner.push(token_id)
            while (unit := scanner.peek()) is not None:
                scanner.take()
                units.append(unit)
        return units

    def _take_unit(self, unit: Unit, ended_by: EndedBy) -> None:
        """What is not text."""
        if unit.id == SPACE:
            # The start of reasoning is outside of it, and so is the white space that belongs to it.
            if self.phase == "reasoning" and not self._is_at_start:
                self._reader.take_space(len(unit.token_ids))
        elif unit.id in self._bound.special_ids:
            self._take_marker(unit.id, ended_by, len(unit.token_ids))
        else:
            self._reader.take_depth(unit.id, len(unit.token_ids))

    def _take_text(
        self, ids: Sequence[int], logprobs: Sequence[AnswerToken] | None, text: str | None = None
    ) -> None:
        if not (ids or text):
            return
        if self.phase == "reasoning":
            self._reader.take_text(ids, text)
            return
        if self.phase == "before":
            # Where markers are text, which token a text begins in depends on how the tokens came.
            first_id = ids[0] if self.scanner is None else None
            self._log.violate("text before the start of reasoning; taken as the answer", first_id)
            self.phase = "answer"
        if self.phase == "answer":
            self._answer.take_text(ids, logprobs, text)
        else:
            self._behind.extend(ids)

    def _take_marker(self, token_id: int, ended_by: EndedBy, num_tokens: int = 1) -> None:
        bound = self._bound
        self._report_behind()
        self._is_at_start = token_id == bound.reasoning_start_id
        if token_id == bound.end_of_turn_id:
            self._end_turn(token_id)
        elif self.phase == "answer" and self._answer.take_marker(token_id):
            return
        elif token_id == bound.reasoning_start_id:
            self._start_reasoning(token_id)
        elif self.phase != "reasoning":
            self._log.violate("a marker outside of the reasoning", token_id)
        elif token_id == bound.reasoning_end_id:
            self._end_reasoning(ended_by)
        else:
            self._reader.take_marker(token_id, num_tokens)

    def _start_reasoning(self, token_id: int) -> None:
        # A few stray characters before the marker are no reason to take all of the reasoning for the answer.
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

    def _finish(self, finish_reason: FinishReason) -> None:
        if self.phase == "done":
            return
        if self.phase == "answer":
            finish_reason = self._answer.end(finish_reason)
        self.phase = "done"
        self._finish_reason = finish_reason


def token_counts(parser: Parser, num_prompt: int, num_completion: int, num_cached: int) -> dict[str, int]:
    """Counts by their names in the event.

    Args:
        num_completion: all tokens after the prompt, including forced ones.
        num_cached: tokens of the first request that the prefix cache had; it may have forced ones after the prompt.
    """
    return {
        "prompt_tokens": num_prompt,
        "completion_tokens": num_completion,
        "reasoning_tokens": parser.num_reasoning_tokens,
        "answer_tokens": parser.num_answer_tokens,
        "forced_tokens": parser.num_forced_tokens,
        "cached_tokens": min(num_cached, num_prompt),
    }
