"""A conductor over an engine that says anything legal: cuts lose nothing, repeat nothing, and stay within the rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.events import Event
from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement
from steiner.server.conductor.assignment import Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenRequest, TokenUpdate

from .conftest import Spoken, Walker
from .taped_engine import TapedEngine

PROMPT = (1, 2, 3)
MAX_TOKENS = 3_000


class LegalEngine(TapedEngine):
    """Goes on legally from wherever the conductor stands, in updates of any size, with tokens that will be dropped."""

    def __init__(self, walker: Walker, per_update: int) -> None:
        super().__init__()
        self._walker = walker
        self._per_update = per_update

    @property
    def state(self) -> State:
        automaton = self._walker.automaton
        state = automaton.initial
        for token_id, forced in self.tape:
            allowed = automaton.allowed(state)
            legal = token_id in allowed.ids or (allowed.text and automaton.is_text(token_id))
            assert legal or forced, "a token that was sampled is not legal"
            state = automaton.advance(state, token_id, closing=not legal)
        return state

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        self.requests.append(request)
        state, sampled, finished = self.state, 0, False
        while not finished:
            update: list[int] = []
            while len(update) < self._per_update and not finished:
                token_id = self._walker.choose(state)
                state = self._walker.automaton.advance(state, token_id)
                update.append(token_id)
                sampled += 1
                stopped = token_id in request.stop_ids
                finished = stopped or sampled == request.max_tokens
            await asyncio.sleep(0)
            yield TokenUpdate(update, ("stop" if stopped else "length") if finished else None)


@dataclass(eq=False)
class Contrary:
    """A verifier with an opinion on every third step."""

    name: str = "contrary"
    seen: list[int] = field(default_factory=list)

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        assert step.id == len(trace.steps) + 1
        self.seen.append(step.id)
        if step.id % 3:
            return None
        return Judgement("verified" if step.id % 2 else "refuted", "by its number")

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return None


@dataclass(frozen=True)
class Run:
    events: list[Event]
    trace: Trace
    engine: LegalEngine
    automaton: Automaton


policies = st.builds(
    Policy,
    min_steps=st.integers(1, 4),
    max_steps=st.sampled_from([4, 9, 40]),
    max_depth=st.sampled_from([1, 2, 5]),
    max_backtracks=st.sampled_from([0, 2, 40]),
    max_reasoning_tokens=st.sampled_from([None, None, 15, 70, 300]),
    max_section_tokens=st.integers(1, 2),
    allow_change_of_mind=st.booleans(),
    refute_repeats=st.booleans(),
)


def run(spoken: Spoken, policy: Policy, seed: int, per_update: int, judged: bool) -> Run:
    automaton = Automaton(spoken.bound, policy)
    walker = Walker(automaton, seed)
    # Two words, so that steps repeat each other often.
    walker.text_ids = walker.text_ids[:2]
    engine = LegalEngine(walker, per_update)
    assignment = Assignment(
        id="rsn_walk",
        model="walk",
        prompt_ids=PROMPT,
        policy=policy,
        sampling=Sampling(),
        max_tokens=MAX_TOKENS,
        problem="walk",
        verifier=Contrary() if judged else None,
    )
    conductor = Conductor(engine, spoken.bound, assignment, section_texts(spoken.tokenizer.backend_tokenizer))
    engine.attach(conductor)

    async def collect() -> list[Event]:
        return [event async for batch in conductor.run() for event in batch]

    return Run(asyncio.run(collect()), conductor.trace, engine, automaton)


def without_times(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [step.model_dump(exclude={"started_s", "finished_s", "repeats"}) for step in steps]


@given(policy=policies, seed=st.integers(0, 2**32), per_update=st.integers(1, 40), judged=st.booleans())
@pytest.mark.parametrize("memory", [False, True])
def test_cuts_lose_nothing_and_repeat_nothing(
    words: Spoken, memory: bool, policy: Policy, seed: int, per_update: int, judged: bool
) -> None:
    done = run(words, policy.model_copy(update={"memory": memory}), seed, per_update, judged)
    tape = done.engine.tape
    parser = Parser(words.bound, section_texts(words.tokenizer.backend_tokenizer))
    for token_id, forced in tape:
        parser.feed([token_id], forced=forced)
    finish_reason = done.trace.finish_reason
    assert finish_reason is not None
    parser.close(finish_reason)
    assert without_times(parser.trace.steps) == without_times(done.trace.steps)
    assert parser.trace.answer == done.trace.answer
    usage, ending = done.events[-2:]
    assert (usage.type, ending.type) == ("usage", "done")
    assert usage.completion_tokens == len(tape)
    assert usage.forced_tokens == sum(forced for _, forced in tape)
    assert [event.sequence_number for event in done.events] == list(range(1, len(done.events) + 1))
    assert done.trace.num_violations == 0
    interventions = [event for event in done.events if event.type == "intervention"]
    assert list(done.trace.interventions) == interventions
    assert sum(event.num_forced_tokens for event in interventions) == usage.forced_tokens
    budget = policy.max_reasoning_tokens
    assert budget is None or usage.reasoning_tokens <= budget


@given(policy=policies, seed=st.integers(0, 2**32), per_update=st.integers(1, 40), judged=st.booleans())
@pytest.mark.parametrize("memory", [False, True])
def test_every_request_goes_on_from_what_was_taken(
    words: Spoken, memory: bool, policy: Policy, seed: int, per_update: int, judged: bool
) -> None:
    done = run(words, policy.model_copy(update={"memory": memory}), seed, per_update, judged)
    contexts: set[tuple[int, ...]] = {PROMPT}
    folding = FoldingContext(words.bound)
    whole: list[int] = []
    for token_id, _ in done.engine.tape:
        if memory and token_id == words.bound.step_start_id and folding.abandoned_to is not None:
            folding.fold()
        folding.take((token_id,))
        whole.append(token_id)
        contexts.add((*PROMPT, *(folding.token_ids if memory else whole)))
    for request in done.engine.requests:
        assert tuple(request.prompt_ids) in contexts
        assert request.grammar is not None


@given(policy=policies, seed=st.integers(0, 2**32), per_update=st.integers(1, 40), judged=st.booleans())
def test_no_two_siblings_are_equal_unless_the_later_was_refuted_for_it(
    stepwise: Spoken, policy: Policy, seed: int, per_update: int, judged: bool
) -> None:
    done = run(stepwise, policy.model_copy(update={"refute_repeats": True}), seed, per_update, judged)
    steps = done.trace.steps
    told: set[tuple[int, str]] = set()
    for step in steps:
        if step.parent is None or step.interrupted or not step.text_of("next_step"):
            continue
        said = (step.parent, " ".join(step.text_of("next_step").casefold().split()))
        if said[1] and said in told:
            assert step.repeats is not None
        told.add(said)
    for step in steps:
        if step.repeats is None or step.interrupted:
            continue
        assert step.repeats < step.id
        if stepwise.bound.protocol.has_verdicts:
            assert step.verdict == "refuted"
            assert not done.trace.children(step.id)
    trailing = [step.repeats is not None for step in steps]
    assert not any(all(trailing[i : i + 4]) for i in range(len(trailing) - 3)), (
        "it walked in a circle for long"
    )


def test_the_walks_had_interventions_of_every_kind(words: Spoken) -> None:
    """Or the properties above would say little."""
    kinds: dict[str, int] = {}
    for seed in range(120):
        budget = 70 if seed % 2 else None
        policy = Policy(max_section_tokens=1, max_reasoning_tokens=budget, memory=seed % 3 == 0)
        for intervention in run(words, policy, seed, 7, judged=True).trace.interventions:
            kinds[intervention.kind] = kinds.get(intervention.kind, 0) + 1
    assert min(kinds.get(kind, 0) for kind in ("budget", "loop", "verifier", "memory")) > 15, kinds


@given(policy=policies, seed=st.integers(0, 2**32), per_update=st.integers(1, 40), budget=st.integers(15, 60))
def test_in_every_protocol_the_budget_holds_and_nothing_is_broken(
    stepwise: Spoken, policy: Policy, seed: int, per_update: int, budget: int
) -> None:
    """Without verdicts a refutation is a forced backtrack, for which the budget must have room, too."""
    policy = policy.model_copy(update={"max_reasoning_tokens": budget})
    done = run(stepwise, policy, seed, per_update, judged=True)
    usage = done.events[-2]
    assert usage.type == "usage"
    assert usage.reasoning_tokens <= budget
    assert usage.completion_tokens == len(done.engine.tape)
    assert done.trace.num_violations == 0
