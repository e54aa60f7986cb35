"""One generation as a conversation with the engine: take tokens, look, cut where a limit says so, go on.

The conductor knows neither HTTP nor vllm. Without a cut, a generation is one request to the engine. With
one, the tokens after the cut are dropped before anyone sees them, forced ones are appended, and a new
request continues over the same prefix, which the engine's prefix cache makes cheap.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from steiner.reasoning.answer import AnswerToken
from steiner.reasoning.automaton import Automaton
from steiner.reasoning.events import (
    Cancelled,
    Done,
    EndedBy,
    Event,
    Failed,
    FinishReason,
    ReasoningStarted,
    Usage,
)
from steiner.reasoning.events import Intervention as InterventionEvent
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import SectionDecoder
from steiner.reasoning.parser.parser import token_counts
from steiner.reasoning.parser.scanner import Unit
from steiner.reasoning.parser.tool_calls import ToolCallReader
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import BoundProtocol, Opening, opening_of
from steiner.reasoning.trace import Trace
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.interventions.base import Cut
from steiner.server.conductor.interventions.selection import Interventions
from steiner.server.conductor.requests import TokenRequests
from steiner.server.conductor.text_sequence import TextSequence
from steiner.server.engine.base import EngineError, TokenEngine, TokenUpdate
from steiner.server.engine.token_spelling import TokenSpelling


class Conductor:
    """Runs one assignment; `run` may be called once.

    Args:
        new_decoder: makes a decoder of ids for each section and for the answer.
        spelling: of single tokens, for assignments that ask for log probabilities.
        clock: gives seconds, counted from any moment.
    """

    def __init__(
        self,
        engine: TokenEngine,
        bound: BoundProtocol,
        assignment: Assignment,
        new_decoder: Callable[[], SectionDecoder],
        spelling: TokenSpelling | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.assignment = assignment
        opening = _opening(bound, assignment)
        self.progress = Progress(bound, opening)
        self._engine = engine
        self._bound = bound
        self._automaton = Automaton(bound, assignment.policy)
        call_reader = ToolCallReader() if assignment.may_call else None
        is_strict = assignment.policy.constrained
        self._parser = Parser(bound, new_decoder, opening, assignment.stop, call_reader, is_strict=is_strict)
        self._may_stop = bool(assignment.stop)
        self._spelling = spelling
        self._clock = clock
        self._began = clock()
        self._num_tokens = 0
        self._num_cached: int | None = None
        self._last_fed_id: int | None = None
        self._context: list[int] = []
        self._resume = None if opening == "before" else self._automaton.opened(opening)
        self._requests = TokenRequests(bound, assignment)
        self._cuts: list[InterventionEvent] = []
        self._interventions = Interventions(
            self._automaton,
            assignment.verifier,
            assignment.problem,
            assignment.answer_rule,
            opening,
            tree=lambda: self._parser.trace,
            mark_repeat=self._parser.mark_repeat,
        )
        self._memory = self._interventions.memory
        self._text: TextSequence | None = None
        if bound.text is not None and self._parser.scanner is not None:
            self._text = TextSequence(
                bound.text,
                self._parser.scanner,
                self.progress,
                self._interventions,
                self._feed_units,
                (lambda: self._is_stopped) if self._may_stop else None,
                None if spelling is None else spelling.answer_token,
            )

    @property
    def trace(self) -> Trace:
        """The tree so far."""
        assignment = self.assignment
        return self._parser.trace.model_copy(
            update={
                "id": assignment.id,
                "model": assignment.model,
                "problem": assignment.problem,
                "num_prompt_tokens": len(assignment.prompt_ids),
                "interventions": tuple(self._cuts),
            }
        )

    async def run(self) -> AsyncGenerator[list[Event], None]:
        """Events in order, a batch for each engine update, `usage` and `done` last.

        Closing the generator early aborts the engine's request.

        Raises:
            EngineError: the engine failed; `fail` then makes the ending.
        """
        yield [self._started()]
        cut = self._interventions.opening(self.progress)
        finish_reason: FinishReason | None = None
        while self._makes_room(cut):
            if cut is not None:
                events, cut = self._force(cut)
                yield events
                continue
            if self._room < 1:
                break
            in_answer = self.progress.phase == "answer"
            request = self._requests.make(self._context_ids, self._room, self._resume, in_answer=in_answer)
            async with aclosing(self._engine.generate(request)) as updates:
                async for update in updates:
                    if self._num_cached is None:
                        # Later requests find in the cache what this generation itself put there.
                        self._num_cached = update.num_cached_tokens
                    events, cut = self._accept(update)
                    if events:
                        yield events
                    if cut is not None:
                        break
                    finish_reason = "stop" if self._is_stopped else update.finish_reason
                    if self._is_stopped:
                        break
            if cut is None:
                if finish_reason is None:
                    raise EngineError("the engine stopped without a reason")
                break
        yield self._finish(finish_reason or "length")

    @property
    def usage(self) -> dict[str, int]:
        """Token counts so far, by their names in the event `usage`."""
        return token_counts(
            self._parser, len(self.assignment.prompt_ids), self._num_taken, self._num_cached or 0
        )

    def fail(self, message: str, code: str) -> list[Event]:
        """The ending of a generation that failed."""
        return [self._usage(), self._parser.emit(Failed, message=message, code=code)]

    def cancel(self) -> list[Event]:
        """The ending of a generation that was cancelled."""
        return [self._usage(), self._parser.emit(Cancelled)]

    @property
    def _room(self) -> int:
        """Tokens that the next request may add: to the generation, and to the model's context."""
        num_context = len(self.assignment.prompt_ids) + len(self._context_ids)
        return min(self.assignment.max_tokens - self._num_taken, self._engine.max_model_len - num_context)

    @property
    def _num_taken(self) -> int:
        """Tokens of the generation so far."""
        return self._num_tokens if self._text is None else len(self._text.token_ids)

    @property
    def _context_ids(self) -> list[int]:
        """What the model's context has after the prompt."""
        if self._text is not None:
            return self._text.token_ids
        return self._context if self._memory is None else self._memory.context.token_ids

    @property
    def _is_stopped(self) -> bool:
        """Whether a stop string or token has ended the answer. Anything later from the engine is dropped."""
        return self._may_stop and self._parser.stopped_by is not None

    @property
    def _now_s(self) -> float:
        return self._clock() - self._began

    def _makes_room(self, cut: Cut | None) -> bool:
        """Whether a cut's tokens still fit. If not, the generation ends for its length, unclosed."""
        return cut is None or self._bound.num_tokens_of(cut.forced) <= self._room

    def _accept(self, update: TokenUpdate) -> tuple[list[Event], Cut | None]:
        """Take the tokens of an update up to the first place where an intervention cuts."""
        if self._text is not None:
            return self._text.accept(update)
        progress, interventions = self.progress, self._interventions
        token_ids = update.token_ids
        events: list[Event] = []
        ended_by: EndedBy = "model"
        # Another of the checkpoint's stop tokens: it ends the turn, and is not part of its text.
        is_end = update.finish_reason == "stop" and token_ids and token_ids[-1] != self._bound.end_of_turn_id
        num_fed = num_taken = 0
        cut: Cut | None = None
        for token_id in token_ids:
            if token_id in interventions.judging_ids:
                events += self._feed_update(update, num_fed, num_taken, ended_by)
                num_fed = num_taken
            cut = interventions.before(progress, token_id)
            if cut is not None:
                break
            if token_id == self._bound.reasoning_end_id and progress.phase == "reasoning":
                ended_by = interventions.ended_by(progress)
            self._take(token_id)
            num_taken += 1
            cut = interventions.after(progress, token_id)
            if cut is not None:
                break
            if self._may_stop and progress.phase == "answer" and not (is_end and num_taken == len(token_ids)):
                events += self._feed_update(update, num_fed, num_taken, ended_by)
                num_fed = num_taken
                if self._is_stopped:
                    break
        if is_end and cut is None and not self._is_stopped:
            num_taken -= 1
        if num_fed == num_taken:
            return events, cut
        fed = self._feed_update(update, num_fed, num_taken, ended_by)
        return (events + fed if events else fed), cut

    def _feed_update(self, update: TokenUpdate, start: int, end: int, ended_by: EndedBy) -> list[Event]:
        """Feed a part of an update."""
        token_ids = update.token_ids[start:end]
        logprobs = None
        # Tokens of the reasoning are not reported, so there is no point in spelling them.
        if update.logprobs is not None and self._spelling is not None and self.progress.phase == "answer":
            previous_ids = [self._last_fed_id, *token_ids]
            told = zip(token_ids, update.logprobs[start:end], previous_ids, strict=False)
            logprobs = [self._spelling.answer_token(*one) for one in told]
        return self._feed(token_ids, ended_by, logprobs=logprobs)

    def _force(self, cut: Cut) -> tuple[list[Event], Cut | None]:
        """Append a cut's tokens; a further cut may follow them."""
        step = self.progress.num_steps or None
        num_rewritten = 0
        if self._text is not None:
            num_rewritten, num_more = self._text.rewrite()
            self._parser.count_rewritten(num_more, num_rewritten)
        following: Cut | None = None
        units: list[Unit] = []
        for token_id in cut.forced:
            if self._text is not None:
                units.append(self._text.force(token_id))
            else:
                self._take(token_id, forced=True)
            following = self._interventions.after(self.progress, token_id)
        self._resume = cut.resume
        event = self._parser.emit(
            InterventionEvent,
            kind=cut.kind,
            step=step,
            num_forced_tokens=self._bound.num_tokens_of(cut.forced) + num_rewritten,
            num_context_tokens=len(self.assignment.prompt_ids) + len(self._context_ids),
            detail=cut.detail,
        )
        self._cuts.append(event)
        if self._text is not None:
            return [event, *self._feed_units(units, cut.ended_by, forced=True)], following
        return [event, *self._feed(cut.forced, cut.ended_by, forced=True)], following

    def _take(self, token_id: int, *, forced: bool = False) -> None:
        self._num_tokens += 1
        if self._memory is None:
            self._context.append(token_id)
        else:
            self._memory.take(token_id)
        self.progress.take(token_id, forced=forced)

    def _feed(
        self,
        token_ids: Sequence[int],
        ended_by: EndedBy = "model",
        *,
        forced: bool = False,
        logprobs: Sequence[AnswerToken] | None = None,
    ) -> list[Event]:
        if not token_ids:
            return []
        self._last_fed_id = token_ids[-1]
        return self._parser.feed(token_ids, forced, self._now_s, ended_by, logprobs)

    def _feed_units(
        self,
        units: Sequence[Unit],
        ended_by: EndedBy = "model",
        *,
        forced: bool = False,
        logprobs: Sequence[AnswerToken] | None = None,
    ) -> list[Event]:
        return self._parser.feed_units(units, forced, self._now_s, ended_by, logprobs)

    def _started(self) -> Event:
        assignment = self.assignment
        return self._parser.emit(
            ReasoningStarted,
            id=assignment.id,
            model=assignment.model,
            protocol=self._bound.protocol.name,
            policy=assignment.policy,
        )

    def _finish(self, finish_reason: FinishReason) -> list[Event]:
        closing = self._parser.close(finish_reason, now_s=self._now_s)
        finish_reason = self._parser.finish_reason or finish_reason
        return [*closing, self._usage(), self._parser.emit(Done, finish_reason=finish_reason)]

    def _usage(self) -> Event:
        return self._parser.emit(Usage, **self.usage)


def _opening(bound: BoundProtocol, assignment: Assignment) -> Opening:
    """Where the completion begins; a model that was told nothing of text markers answers at once."""
    if bound.ends_in_text and assignment.policy.max_reasoning_tokens == 0:
        return "answer"
    return opening_of(bound, assignment.prompt_ids)
