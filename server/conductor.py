"""One generation as a conversation with the engine: take tokens, look, cut where a limit says so, go on.

The conductor knows neither HTTP nor vllm. Without a cut a generation is one request to the engine. With
one, the tokens behind the cut are dropped before anyone sees them, forced ones are appended, and a new
request continues over the same prefix, which the engine's prefix cache makes cheap.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.decoding import SectionDecoder
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
from steiner.reasoning.events import (
    Intervention as InterventionEvent,
)
from steiner.reasoning.grammar import compile_grammar, counts_in_grammar
from steiner.reasoning.opening import opening_of
from steiner.reasoning.parser import Parser
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.trace import Trace
from steiner.server.engine import EngineError, Sampling, TokenEngine, TokenRequest, TokenUpdate
from steiner.server.interventions.base import Cut, Intervention
from steiner.server.interventions.budget import CountLimits, TokenBudget
from steiner.server.progress import Progress


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """What to generate.

    Attributes:
        prompt_ids: the chat template may have opened the reasoning in them; those tokens are the prompt's.
        max_tokens: of reasoning and answer together, forced ones included; a hard upper bound.
    """

    id: str
    model: str
    prompt_ids: tuple[int, ...]
    policy: Policy
    sampling: Sampling
    max_tokens: int


class Conductor:
    """Runs one assignment; `run` may be called once.

    Args:
        new_decoder: makes a decoder of ids for each section and for the answer.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        engine: TokenEngine,
        bound: BoundProtocol,
        assignment: Assignment,
        new_decoder: Callable[[], SectionDecoder],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.assignment = assignment
        opening = opening_of(bound, assignment.prompt_ids)
        self.progress = Progress(bound, opening)
        self._engine = engine
        self._bound = bound
        self._automaton = Automaton(bound, assignment.policy)
        self._parser = Parser(bound, new_decoder, opening)
        self._clock = clock
        self._began = clock()
        self._token_ids: list[int] = []
        self._resume = None if opening == "before" else self._automaton.opened(opening)
        self._num_requests = 0
        self._budget, self._interventions = _interventions(self._automaton)

    @property
    def trace(self) -> Trace:
        """The tree so far."""
        assignment = self.assignment
        return self._parser.trace.model_copy(
            update={
                "id": assignment.id,
                "model": assignment.model,
                "num_prompt_tokens": len(assignment.prompt_ids),
            }
        )

    async def run(self) -> AsyncGenerator[list[Event], None]:
        """Events in order, a batch for each engine update, `usage` and `done` last.

        Closing the generator early aborts the engine's request.

        Raises:
            EngineError: the engine failed; `fail` then makes the ending.
        """
        yield [self._started()]
        cut = self._budget.opening(self.progress) if self._budget else None
        finish_reason: FinishReason | None = None
        while self._makes_room(cut):
            if cut is not None:
                yield self._force(cut)
                cut = None
            if not self._num_left:
                break
            async with aclosing(self._engine.generate(self._next_request())) as updates:
                async for update in updates:
                    events, cut = self._accept(update)
                    if events:
                        yield events
                    if cut is not None:
                        break
                    finish_reason = update.finish_reason
            if cut is None:
                if finish_reason is None:
                    raise EngineError("the engine stopped without a reason")
                break
        yield self._finish(finish_reason or "length")

    def fail(self, message: str, code: str) -> list[Event]:
        """The ending of a generation that failed."""
        return [self._usage(), self._parser.emit(Failed, message=message, code=code)]

    def cancel(self) -> list[Event]:
        """The ending of a generation that was cancelled."""
        return [self._usage(), self._parser.emit(Cancelled)]

    @property
    def _num_left(self) -> int:
        return self.assignment.max_tokens - len(self._token_ids)

    @property
    def _now_s(self) -> float:
        return self._clock() - self._began

    def _makes_room(self, cut: Cut | None) -> bool:
        """Whether a cut's tokens still fit; without, the generation ends for its length, unclosed."""
        return cut is None or len(cut.forced) <= self._num_left

    def _next_request(self) -> TokenRequest:
        assignment = self.assignment
        sampling = assignment.sampling
        request_id = assignment.id
        if self._num_requests:
            request_id = f"{assignment.id}-{self._num_requests}"
            if sampling.seed is not None:
                # The same seed again would draw the same numbers again.
                sampling = dataclasses.replace(sampling, seed=sampling.seed + self._num_requests)
        self._num_requests += 1
        policy = assignment.policy
        return TokenRequest(
            request_id=request_id,
            prompt_ids=[*assignment.prompt_ids, *self._token_ids],
            max_tokens=self._num_left,
            sampling=sampling,
            stop_ids=(self._bound.end_of_turn_id,),
            grammar=compile_grammar(self._bound, policy, self._resume) if policy.constrained else None,
        )

    def _accept(self, update: TokenUpdate) -> tuple[list[Event], Cut | None]:
        """Take the tokens of an update up to the first place where an intervention cuts."""
        progress = self.progress
        ended_by: EndedBy = "model"
        token_ids = update.token_ids
        cut: Cut | None = None
        for index, token_id in enumerate(token_ids):
            for intervention in self._interventions:
                cut = intervention.before(progress, token_id)
                if cut is not None:
                    break
            if cut is not None:
                token_ids = token_ids[:index]
                break
            if token_id == self._bound.reasoning_end_id and progress.phase == "reasoning":
                ended_by = self._automaton.limit_reached(progress.decision_state) or "model"
            progress.take(token_id)
        self._token_ids.extend(token_ids)
        stopped = cut is None and update.finish_reason == "stop" and token_ids
        if stopped and token_ids[-1] != self._bound.end_of_turn_id:
            # Another of the checkpoint's stop tokens: it ends the turn, and is no text of it.
            token_ids = token_ids[:-1]
        return self._parser.feed(token_ids, now_s=self._now_s, ended_by=ended_by), cut

    def _force(self, cut: Cut) -> list[Event]:
        step = self.progress.num_steps or None
        for token_id in cut.forced:
            self.progress.take(token_id, forced=True)
        self._token_ids.extend(cut.forced)
        self._resume = cut.resume
        event = self._parser.emit(
            InterventionEvent, kind=cut.kind, step=step, num_forced_tokens=len(cut.forced), detail=cut.detail
        )
        forced = self._parser.feed(cut.forced, forced=True, now_s=self._now_s, ended_by=cut.ended_by)
        return [event, *forced]

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
        return [*closing, self._usage(), self._parser.emit(Done, finish_reason=finish_reason)]

    def _usage(self) -> Event:
        parser = self._parser
        return parser.emit(
            Usage,
            prompt_tokens=len(self.assignment.prompt_ids),
            completion_tokens=len(self._token_ids),
            reasoning_tokens=parser.num_reasoning_tokens,
            answer_tokens=parser.num_answer_tokens,
            forced_tokens=parser.num_forced_tokens,
        )


def _interventions(automaton: Automaton) -> tuple[TokenBudget | None, tuple[Intervention, ...]]:
    """What may cut under a policy, in the order of precedence."""
    policy = automaton.policy
    budget = None if policy.max_reasoning_tokens is None else TokenBudget(policy.max_reasoning_tokens)
    chosen: list[Intervention] = [] if budget is None else [budget]
    if policy.constrained:
        counted = counts_in_grammar(policy)
        if not (counted.steps and counted.backtracks):
            chosen.append(CountLimits(automaton))
    return budget, tuple(chosen)
