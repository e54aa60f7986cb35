"""A conductor over models that keep to no grammar: it never fails, counts exactly, and breaks nothing itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.events import Event
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenRequest, TokenUpdate

from .conftest import Spoken, Walker
from .taped_engine import TapedEngine

MAX_TOKENS = 400
PENDING = {"text outside of a section", "a backtrack to no place on the live path"}
"""What a marker makes certain of the tokens in front of it, whoever wrote the marker."""


class Refuter:
    """Refutes every other step, and sees complete ones only."""

    name = "refuter"

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        return Judgement("refuted" if step.id % 2 else "verified", "by its number")

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return None


@dataclass(frozen=True)
class Case:
    seed: int
    per_update: int
    noise: float
    budget: int | None
    judged: bool
    formatted: bool
    opened: bool


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32),
    per_update=st.integers(1, 30),
    noise=st.sampled_from([0.02, 0.2, 1.0]),
    budget=st.sampled_from([None, None, 0, 15, 60]),
    judged=st.booleans(),
    formatted=st.booleans(),
    opened=st.booleans(),
)


def soup(spoken: Spoken, case: Case) -> Iterator[int]:
    """Legal walks, one after another, in which tokens are missing, repeated, or markers of any kind."""
    bound, rng = spoken.bound, random.Random(case.seed)
    markers = sorted(bound.special_ids)
    automaton = Automaton(bound, Policy(max_section_tokens=1))
    while True:
        for token_id in Walker(automaton, rng.randrange(2**32)).walk().token_ids:
            if rng.random() >= case.noise:
                yield token_id
            elif rng.random() < 0.6:
                yield rng.choice(markers)
                if rng.random() < 0.5:
                    yield token_id


class BreakingEngine(TapedEngine):
    """Says the next tokens of the soup, whatever it is asked."""

    def __init__(self, token_ids: Iterator[int], per_update: int) -> None:
        super().__init__()
        self._token_ids = token_ids
        self._per_update = per_update

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        self.requests.append(request)
        num_left = request.max_tokens
        stopped = False
        while num_left and not stopped:
            update: list[int] = []
            while len(update) < min(self._per_update, num_left) and not stopped:
                update.append(next(self._token_ids))
                stopped = update[-1] in request.stop_ids
            num_left -= len(update)
            yield TokenUpdate(update, "stop" if stopped else None if num_left else "length")


@settings(max_examples=60)
@given(case=cases)
@pytest.mark.parametrize("memory", [False, True])
def test_a_broken_model_breaks_nothing_else(spoken: Spoken, memory: bool, case: Case) -> None:
    bound = spoken.bound
    if memory and not bound.depth_ids:
        return
    prompt = (1, 2, bound.reasoning_start_id) if case.opened else (1, 2)
    policy = Policy(constrained=False, memory=memory, max_reasoning_tokens=case.budget, max_backtracks=3)
    engine = BreakingEngine(soup(spoken, case), case.per_update)
    assignment = Assignment(
        id="rsn_soup",
        model="soup",
        prompt_ids=prompt,
        policy=policy,
        sampling=Sampling(),
        max_tokens=MAX_TOKENS,
        verifier=Refuter() if case.judged else None,
        answer_format=AnswerFormat("an object", "objects") if case.formatted else None,
    )
    new_decoder = section_texts(spoken.tokenizer.backend_tokenizer)
    conductor = Conductor(engine, bound, assignment, new_decoder)
    engine.attach(conductor)

    async def collect() -> list[Event]:
        return [event async for batch in conductor.run() for event in batch]

    events = asyncio.run(collect())
    trace, tape = conductor.trace, engine.tape
    usage, done = events[-2:]
    assert usage.type == "usage"
    assert done.type == "done"
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert usage.completion_tokens == len(tape) <= MAX_TOKENS
    assert usage.forced_tokens == sum(forced for _, forced in tape)
    assert usage.forced_tokens == sum(cut.num_forced_tokens for cut in trace.interventions)
    assert case.budget is None or usage.reasoning_tokens <= case.budget
    assert_same_tree_and_no_fault_of_ours(spoken, case, tape, trace)
    taken = [token_id for token_id, _ in tape]
    for request in engine.requests:
        context = list(request.prompt_ids)[len(prompt) :]
        assert tuple(request.prompt_ids[: len(prompt)]) == prompt
        if not memory:
            assert context == taken[: len(context)]
    if case.formatted and trace.answer:
        assert engine.requests[-1].grammar.endswith(f"start: answer <[{bound.end_of_turn_id}]>\nobjects")
    forced_verdicts = [step.id for step in trace.steps if step.verdict_forced]
    assert forced_verdicts == [
        cut.step
        for cut in trace.interventions
        if cut.kind in ("loop", "verifier") and cut.num_forced_tokens == 1 and bound.verified_id is not None
    ]


def assert_same_tree_and_no_fault_of_ours(
    spoken: Spoken, case: Case, tape: list[tuple[int, bool]], trace: Trace
) -> None:
    parser = Parser(
        spoken.bound,
        section_texts(spoken.tokenizer.backend_tokenizer),
        opening="reasoning" if case.opened else "before",
    )
    for token_id, forced in tape:
        events = parser.feed([token_id], forced=forced)
        if forced:
            faults = {event.detail for event in events if event.type == "violation"}
            assert faults <= PENDING
    assert trace.finish_reason is not None
    parser.close(trace.finish_reason)

    def plain(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
        return [step.model_dump(exclude={"started_s", "finished_s", "repeats"}) for step in steps]

    assert plain(parser.trace.steps) == plain(trace.steps)
    assert parser.trace.answer == trace.answer
