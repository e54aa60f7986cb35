"""A conductor over an engine that writes protocol `outline` in any tokens: cuts lose and break nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.grammar_mask import Mask

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.errors import IllegalTokenError
from steiner.reasoning.events import Event
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.parser.scanner import SPACE, TEXT, Scanner
from steiner.reasoning.policy import Policy
from steiner.reasoning.trace import Trace
from steiner.server.conductor.assignment import AnswerFormat, Assignment
from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import Sampling, TokenRequest, TokenUpdate

from .conftest import Spoken
from .outline_walks import Writer, outlined
from .test_interventions import Contrary

PROMPT = (1, 2, 3)
MAX_TOKENS = 6_000
NO_SHRINKING = settings(phases=[Phase.explicit, Phase.generate], max_examples=100)


@dataclass
class WritingEngine:
    """Goes on legally from wherever the conductor stands, in tokens of any size, some of which will be dropped."""

    spoken: Spoken
    automaton: Automaton
    writer: Writer
    per_update: int
    checks_grammar: bool = False
    max_model_len: int = 100_000
    bias_refusal: str | None = None
    default_sampling: Mapping[str, float | int] = field(default_factory=dict)
    requests: list[TokenRequest] = field(default_factory=list)

    def draft_counts(self) -> Mapping[str, int] | None:
        return None

    def state(self, context_ids: list[int]) -> State:
        """Where the model's context ends."""
        bound, automaton = self.spoken.bound, self.automaton
        assert bound.text is not None
        scanner, state = Scanner(bound, bound.text, "before"), automaton.initial
        for token_id in context_ids:
            scanner.push(token_id)
            while (unit := scanner.peek()) is not None:
                scanner.take()
                if unit.id == TEXT:
                    assert state.phase in ("text", "answer"), state
                    num_text = state.num_text + max(1, len(unit.token_ids))
                    state = State(**{**_fields(state), "num_text": num_text})
                elif unit.id != SPACE:
                    try:
                        state = automaton.advance(state, unit.id)
                    except IllegalTokenError:
                        state = automaton.advance(state, unit.id, closing=True)
        scanner.take_layout()
        assert not scanner.cut()[2], "a cut was made inside of a unit"
        return state

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenUpdate, None]:
        self.requests.append(request)
        state = self.state(list(request.prompt_ids[len(PROMPT) :]))
        ids = self.writer.walk(self.automaton, state).token_ids[: request.max_tokens]
        if self.checks_grammar:
            assert request.grammar is not None
            mask = Mask(self.spoken.tokenizer, request.grammar, len(self.spoken.tokenizer) + 7)
            assert all(mask.accept(token_id) for token_id in ids)
        for begin in range(0, len(ids), self.per_update):
            update = ids[begin : begin + self.per_update]
            is_last = begin + self.per_update >= len(ids)
            stopped = update[-1] in request.stop_ids
            await asyncio.sleep(0)
            yield TokenUpdate(update, ("stop" if stopped else "length") if is_last else None)

    async def check_health(self) -> None: ...

    def shutdown(self) -> None: ...


def _fields(state: State) -> dict[str, Any]:
    return {name: getattr(state, name) for name in State.__slots__}


@dataclass(frozen=True)
class Run:
    events: list[Event]
    trace: Trace
    engine: WritingEngine
    token_ids: list[int]


policies = st.builds(
    Policy,
    min_steps=st.integers(1, 3),
    max_steps=st.sampled_from([3, 9, 40]),
    max_depth=st.sampled_from([1, 2, 5]),
    max_backtracks=st.sampled_from([0, 2, 40]),
    max_reasoning_tokens=st.sampled_from([None, None, 120, 300, 700]),
    max_section_tokens=st.sampled_from([1, 5, 20, 1000]),
    allow_change_of_mind=st.booleans(),
    refute_repeats=st.booleans(),
)


def run(spoken: Spoken, policy: Policy, seed: int, per_update: int, judged: bool, **fields: Any) -> Run:
    automaton = Automaton(spoken.bound, policy)
    writer = Writer(spoken, seed)
    engine = WritingEngine(spoken, automaton, writer, per_update, fields.pop("checks_grammar", False))
    assignment = Assignment(
        id="rsn_walk",
        model="walk",
        prompt_ids=PROMPT,
        policy=policy,
        sampling=Sampling(),
        max_tokens=fields.pop("max_tokens", MAX_TOKENS),
        problem="walk",
        verifier=Contrary() if judged else None,
        **fields,
    )
    conductor = Conductor(engine, spoken.bound, assignment, section_texts(spoken.tokenizer.backend_tokenizer))

    async def collect() -> list[Event]:
        return [event async for batch in conductor.run() for event in batch]

    events = asyncio.run(collect())
    assert conductor._text is not None
    return Run(events, conductor.trace, engine, conductor._text.token_ids)


@pytest.fixture(scope="module", params=[False, True], ids=["own tags", "think tags"])
def spoken(request: pytest.FixtureRequest) -> Spoken:
    return outlined(thinks=request.param)


def said(trace: Trace) -> list[Any]:
    """What the steps say, whoever wrote it."""
    return [
        [(section.role, section.text) for section in step.sections] + [step.verdict, step.parent, step.depth]
        for step in trace.steps
    ]


@NO_SHRINKING
@given(policy=policies, seed=st.integers(0, 2**32), per_update=st.integers(1, 40), judged=st.booleans())
def test_cuts_lose_nothing_and_break_nothing(
    policy: Policy, seed: int, per_update: int, judged: bool, spoken: Spoken
) -> None:
    done = run(spoken, policy, seed, per_update, judged)
    assert done.trace.num_violations == 0
    usage, ending = done.events[-2:]
    assert (usage.type, ending.type) == ("usage", "done")
    assert usage.completion_tokens == len(done.token_ids)
    assert usage.reasoning_tokens == done.trace.num_reasoning_tokens
    assert [event.sequence_number for event in done.events] == list(range(1, len(done.events) + 1))
    interventions = [event for event in done.events if event.type == "intervention"]
    assert sum(event.num_forced_tokens for event in interventions) == usage.forced_tokens
    budget = policy.max_reasoning_tokens
    assert budget is None or usage.reasoning_tokens <= budget
    finish_reason = done.trace.finish_reason
    assert finish_reason is not None
    parser = Parser(spoken.bound, section_texts(spoken.tokenizer.backend_tokenizer))
    parser.feed(done.token_ids)
    parser.close(finish_reason)
    assert said(parser.trace) == said(done.trace)
    assert parser.trace.answer == done.trace.answer
    assert budget is None or parser.num_reasoning_tokens <= budget


@settings(NO_SHRINKING, max_examples=25)
@given(policy=policies, seed=st.integers(0, 2**32), judged=st.booleans())
def test_every_request_has_a_grammar_that_takes_what_is_legal(
    policy: Policy, seed: int, judged: bool, spoken: Spoken
) -> None:
    # What is written anew may have other tokens, so the engine here counts a section's otherwise than the conductor.
    update = {"max_steps": 3, "max_backtracks": 2, "min_steps": 1, "max_section_tokens": 1000}
    done = run(spoken, policy.model_copy(update=update), seed, 7, judged, checks_grammar=True)
    assert done.trace.num_violations == 0


@NO_SHRINKING
@given(seed=st.integers(0, 2**32), per_update=st.integers(1, 40), limit=st.integers(15, 40))
def test_a_section_ends_at_its_limit(seed: int, per_update: int, limit: int, spoken: Spoken) -> None:
    """No unit of the walks has as many tokens as the limit, so that the first ones are no exception."""
    policy = Policy(max_steps=3, max_section_tokens=limit, refute_repeats=False)
    done = run(spoken, policy, seed, per_update, judged=False)
    assert done.trace.num_violations == 0
    assert all(section.num_tokens <= limit for step in done.trace.steps for section in step.sections)
    for cut in done.trace.interventions:
        assert cut.detail.startswith("the limit of ")
        assert f"({limit} tokens)" in cut.detail


@NO_SHRINKING
@given(seed=st.integers(0, 2**32), per_update=st.integers(1, 40), max_tokens=st.integers(1, 400))
def test_a_length_that_ends_anywhere_breaks_no_rule(
    seed: int, per_update: int, max_tokens: int, spoken: Spoken
) -> None:
    done = run(spoken, Policy(max_section_tokens=20), seed, per_update, judged=True, max_tokens=max_tokens)
    assert done.trace.num_violations == 0
    usage = done.events[-2]
    assert usage.type == "usage"
    assert usage.completion_tokens <= max_tokens


@NO_SHRINKING
@given(seed=st.integers(0, 2**32), per_update=st.integers(1, 40))
def test_a_formatted_answer_has_a_request_of_its_own(seed: int, per_update: int, spoken: Spoken) -> None:
    form = AnswerFormat("anything", "answer: /(?s:.+)/")
    done = run(spoken, Policy(max_steps=2), seed, per_update, judged=False, answer_format=form)
    assert done.trace.num_violations == 0
    *_, last = done.engine.requests
    assert last.grammar is not None
    assert last.grammar.endswith(form.grammar)
    assert all(token_id < spoken.bound.vocab_size for token_id in last.logit_bias)
    assert done.trace.answer
    assert [event.kind for event in done.events if event.type == "intervention"][-1] == "answer"


def test_the_walks_had_interventions_of_every_kind() -> None:
    """Or the properties above would say little."""
    kinds: dict[str, int] = {}
    for seed in range(60):
        budget = 700 if seed % 2 else None
        policy = Policy(max_section_tokens=20, max_reasoning_tokens=budget)
        for intervention in run(outlined(), policy, seed, 7, judged=True).trace.interventions:
            kinds[intervention.kind] = kinds.get(intervention.kind, 0) + 1
    assert min(kinds.get(kind, 0) for kind in ("budget", "verifier")) > 15, kinds
