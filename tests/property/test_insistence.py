"""A model that goes back whenever it can, past every limit: it ends, and no limit costs more than two requests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grammar_mask import Mask

from steiner.reasoning.events import Event
from steiner.reasoning.grammar.grammar import counts_in_grammar
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.trace import Trace
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenRequest, TokenUpdate

from .conftest import Spoken
from .taped_engine import TapedEngine

pytestmark = pytest.mark.slow

PROMPT = (1, 2, 3)
MAX_TOKENS = 1_500
MOST_REQUESTS = 3
"""The first, one behind backtracks that are used up, one behind the end of reasoning."""

Obedience = Literal["mask", "steps", "nothing"]
"""What the engine keeps to: llguidance's mask of the grammar; whole steps, whatever the grammar says; nothing."""


class InsistingEngine(TapedEngine):
    """Says backtrack wherever what it keeps to lets it, and the end of reasoning only where nothing else is left."""

    def __init__(self, spoken: Spoken, obedience: Obedience, seed: int, per_update: int) -> None:
        super().__init__()
        self._spoken = spoken
        self._obedience = obedience
        self._rng = random.Random(seed)
        self._per_update = per_update

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        self.requests.append(request)
        assert len(self.requests) <= 10 * MOST_REQUESTS, "it goes on for ever"
        token_ids = self._said(request)
        num_left, stopped = request.max_tokens, False
        while num_left and not stopped:
            update: list[int] = []
            while len(update) < min(self._per_update, num_left) and not stopped:
                update.append(next(token_ids))
                stopped = update[-1] in request.stop_ids
            num_left -= len(update)
            await asyncio.sleep(0)
            yield TokenUpdate(update, "stop" if stopped else None if num_left else "length")

    def _said(self, request: TokenRequest) -> Iterator[int]:
        bound = self._spoken.bound
        if bound.reasoning_end_id in request.prompt_ids:
            return iter([0, bound.end_of_turn_id])
        if self._obedience == "mask" and request.grammar is not None:
            return self._masked(Mask(self._spoken.tokenizer, request.grammar, bound.vocab_size))
        if self._obedience == "nothing":
            return self._backtracks()
        return self._steps(begun=len(request.prompt_ids) > len(PROMPT))

    def _masked(self, mask: Mask) -> Iterator[int]:
        bound = self._spoken.bound
        while True:
            legal = mask.ids()
            markers = legal & bound.special_ids
            others = markers - {bound.reasoning_end_id}
            if bound.backtrack_id in legal:
                assert bound.backtrack_id is not None
                token_id = bound.backtrack_id
            else:
                token_id = self._rng.choice(sorted(others or markers or legal))
            assert mask.accept(token_id)
            yield token_id

    def _steps(self, begun: bool) -> Iterator[int]:
        bound = self._spoken.bound
        if not begun:
            yield bound.reasoning_start_id
            yield from self._step()
        while True:
            yield from self._back()
            yield from self._step()

    def _backtracks(self) -> Iterator[int]:
        while True:
            yield from self._back()

    def _back(self) -> Iterator[int]:
        bound = self._spoken.bound
        yield bound.proceed_id if bound.backtrack_id is None else bound.backtrack_id  # type: ignore[misc]
        yield from bound.depth_ids[0] if bound.depth_ids else ()

    def _step(self) -> Iterator[int]:
        bound = self._spoken.bound
        assert bound.step_start_id is not None
        assert bound.step_end_id is not None
        yield bound.step_start_id
        for section in bound.sections:
            yield from ids(section.start_id)
            yield self._rng.randrange(4)
            if section.role == "verification":
                yield from ids(self._rng.choice((bound.verified_id, bound.refuted_id)))
            yield from ids(section.end_id)
        yield bound.step_end_id


def ids(token_id: int | None) -> tuple[int, ...]:
    return () if token_id is None else (token_id,)


policies = st.builds(
    Policy,
    min_steps=st.integers(1, 3),
    max_steps=st.sampled_from([5, 20, 300]),
    max_depth=st.sampled_from([2, 20, 64]),
    max_backtracks=st.integers(0, 4),
    max_section_tokens=st.just(1),
    allow_change_of_mind=st.booleans(),
    refute_repeats=st.just(False),
)


def run(engine: InsistingEngine, spoken: Spoken, policy: Policy) -> tuple[list[Event], Trace]:
    assignment = Assignment(
        id="rsn_insists",
        model="insists",
        prompt_ids=PROMPT,
        policy=policy,
        sampling=Sampling(),
        max_tokens=MAX_TOKENS,
    )
    conductor = Conductor(engine, spoken.bound, assignment, section_texts(spoken.tokenizer.backend_tokenizer))

    async def collect() -> list[Event]:
        return [event async for batch in conductor.run() for event in batch]

    return asyncio.run(collect()), conductor.trace


@settings(max_examples=30)
@given(policy=policies, memory=st.booleans(), seed=st.integers(0, 2**32), per_update=st.integers(1, 30))
@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("obedience", ["mask", "steps", "nothing"])
def test_going_back_past_the_limit_costs_two_requests_at_most(
    obedience: Obedience,
    constrained: bool,
    policy: Policy,
    memory: bool,
    seed: int,
    per_update: int,
    stepwise: Spoken,
) -> None:
    limits = {"memory": memory and bool(stepwise.bound.depth_ids), "constrained": constrained}
    policy = policy.model_copy(update=limits)
    engine = InsistingEngine(stepwise, obedience, seed, per_update)
    events, trace = run(engine, stepwise, policy)
    assert events[-1].type == "done"
    cuts = [cut for cut in trace.interventions if cut.kind == "budget"]
    num_folds = sum(cut.kind == "memory" for cut in trace.interventions)
    assert len(engine.requests) <= MOST_REQUESTS + num_folds
    assert num_folds <= trace.num_backtracks
    if not constrained:
        assert not cuts
        return
    assert [cut.num_forced_tokens for cut in cuts] in ([], [0], [1], [0, 1])
    assert trace.num_backtracks <= policy.max_backtracks
    assert len(trace.steps) <= policy.max_steps
    if obedience == "mask":
        assert trace.num_violations == 0
        assert trace.ended_by != "max_backtracks" or trace.steps[-1].verdict == "refuted"


def test_behind_backtracks_that_are_used_up_the_search_goes_on(stepwise: Spoken) -> None:
    """Where the grammar of the whole policy counts neither, that of the continuation keeps none all the same."""
    wide = {"min_steps": 2, "max_steps": 300, "max_depth": 64, "allow_change_of_mind": True}
    policy = Policy(max_backtracks=3, max_section_tokens=1, refute_repeats=False, **wide)
    assert not counts_in_grammar(policy).backtracks
    num_longer = 0
    for seed in range(20):
        engine = InsistingEngine(stepwise, "mask", seed, 5)
        _, trace = run(engine, stepwise, policy)
        cuts = [cut.num_forced_tokens for cut in trace.interventions]
        num_longer += cuts[:1] == [0] and len(trace.steps) > policy.max_backtracks + 1
    assert num_longer > 2 or stepwise.bound.backtrack_id is None
