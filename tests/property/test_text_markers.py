"""Protocol `outline`: however tokens cut the text, the parser reads what was walked, and the grammar takes it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, grammar_from
from llguidance.hf import from_tokenizer
from tests.grammar_mask import Mask
from vllm.v1.structured_output.backend_guidance import GuidanceGrammar

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.events import Event
from steiner.reasoning.grammar import compile_continuation, compile_grammar
from steiner.reasoning.grammar.grammar import UNCOUNTED, enforced_policy
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.text_tree import draw_tree

from .conftest import Spoken
from .outline_walks import PIECES, Region, Writer, Written, outlined
from .test_parser_walks import chunked, decision_of, joined
from .test_vllm_grammar import mask

POLICIES = [
    Policy(max_section_tokens=4),
    Policy(max_steps=40, max_depth=30, max_backtracks=20, max_section_tokens=2),
    Policy(max_steps=8, max_backtracks=6, allow_change_of_mind=True, max_section_tokens=2),
    Policy(min_steps=3, max_steps=4, max_depth=2, max_backtracks=1, max_section_tokens=2),
]
NO_SHRINKING = settings(phases=[Phase.explicit, Phase.generate], max_examples=60)
"""A walk does not get simpler with a smaller seed."""
policies = st.sampled_from(POLICIES)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", params=[False, True], ids=["own tags", "think tags"])
def spoken(request: pytest.FixtureRequest) -> Spoken:
    return outlined(thinks=request.param)


def read(
    spoken: Spoken, chunks: list[Any], *, is_strict: bool = True, finish: Any = "stop"
) -> tuple[list[Event], Trace]:
    new_decoder = section_texts(spoken.tokenizer.backend_tokenizer)
    parser = Parser(spoken.bound, new_decoder, is_strict=is_strict)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    events += parser.close(finish)
    return events, parser.trace


def own_counts(spoken: Spoken, written: Written) -> tuple[list[list[int]], list[int], int]:
    """Tokens of each section, each step and the reasoning, by the regions in which they begin."""
    bound = spoken.bound
    sections: list[list[int]] = []
    steps: list[int] = []
    reasoning = 0
    is_inside = is_in_step = False
    starts = {section.start_id for section in bound.sections}
    for region in written.regions:
        if region.token_id == bound.reasoning_end_id:
            break
        if region.token_id == bound.step_start_id:
            is_in_step = True
            steps.append(0)
            sections.append([])
        if is_inside:
            reasoning += region.num_tokens
        if is_in_step:
            steps[-1] += region.num_tokens
        if region.token_id in starts:
            sections[-1].append(0)
        elif region.token_id is None and is_in_step:
            sections[-1][-1] += region.num_tokens
        if region.token_id == bound.step_end_id:
            is_in_step = False
        is_inside |= region.token_id == bound.reasoning_start_id
    return sections, steps, reasoning


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_the_tree_is_the_one_that_was_walked(policy: Policy, seed: int, spoken: Spoken) -> None:
    written = Writer(spoken, seed).walk(Automaton(spoken.bound, policy))
    _, trace = read(spoken, [written.token_ids])
    sections, steps, reasoning = own_counts(spoken, written)
    assert len(trace.steps) == len(written.tree.steps)
    texts = iter(written.texts)
    for index, (step, own) in enumerate(zip(trace.steps, written.tree.steps, strict=True)):
        assert (step.id, step.depth, step.parent) == (own.id, own.depth, own.parent)
        assert (step.verdict, decision_of(step)) == (own.verdict, own.decision)
        assert [section.text for section in step.sections] == [next(texts) for _ in step.sections]
        assert [section.num_tokens for section in step.sections] == sections[index]
        assert step.num_tokens == steps[index]
        assert not step.interrupted
    assert trace.answer == written.answer
    assert trace.num_reasoning_tokens == reasoning
    assert (trace.num_violations, trace.finish_reason, trace.ended_by) == (0, "stop", "model")


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_any_chunking_and_any_tokens_say_the_same(policy: Policy, seed: int, spoken: Spoken) -> None:
    writer = Writer(spoken, seed)
    written = writer.walk(Automaton(spoken.bound, policy))
    whole, trace = read(spoken, [written.token_ids])
    for chunks in ([[token_id] for token_id in written.token_ids], chunked(written.token_ids, seed)):
        events, same = read(spoken, chunks)
        assert joined(events) == joined(whole)
        assert same == trace
    other = read(spoken, [writer.tokens(written.regions)])[1]
    counts = {"num_tokens", "num_reasoning_tokens", "num_answer_tokens"}
    steps = {"steps": {"__all__": {"num_tokens": True, "sections": {"__all__": {"num_tokens"}}}}}
    left_out: Any = {**dict.fromkeys(counts, True), **steps}
    assert other.model_dump(exclude=left_out) == trace.model_dump(exclude=left_out)


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_the_grammar_takes_what_was_walked(policy: Policy, seed: int, spoken: Spoken) -> None:
    written = Writer(spoken, seed).walk(Automaton(spoken.bound, enforced_policy(policy)))
    grammar = Mask(spoken.tokenizer, compile_grammar(spoken.bound, policy), len(spoken.tokenizer) + 7)
    for token_id in written.token_ids:
        assert grammar.flags()[token_id]
        assert grammar.accept(token_id)
    assert grammar.has_ended


def tags_that_break(automaton: Automaton, state: State) -> list[int]:
    """Markers that may not come here; none where they would be text."""
    bound, markers = automaton.bound, automaton.bound.text
    assert markers is not None
    if state.phase in ("text", "answer", "done"):
        return []
    depths = {depth_id for (depth_id,) in bound.depth_ids}
    tags = depths if state.phase == "depth" else markers.tags.keys() - depths
    if state.phase == "depth" and state.spelled:
        tags = markers.tags.keys() - depths
    return sorted(tags - automaton.allowed(state).ids)


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_the_grammar_refuses_what_the_automaton_refuses(policy: Policy, seed: int, spoken: Spoken) -> None:
    bound, markers = spoken.bound, spoken.bound.text
    assert markers is not None
    writer, automaton = Writer(spoken, seed), Automaton(bound, enforced_policy(policy))
    written = writer.walk(automaton)
    text = compile_grammar(bound, policy)
    places = [i for i, state in enumerate(written.states) if tags_that_break(automaton, state)]
    for place in writer.rng.sample(places, min(4, len(places))):
        state = written.states[place]
        before = writer.written(automaton, written.walk_ids[:place], written.states[:place], written.tree)
        wrong = writer.rng.choice(tags_that_break(automaton, state))
        grammar = Mask(spoken.tokenizer, text, len(spoken.tokenizer) + 7)
        assert all(grammar.accept(token_id) for token_id in before.token_ids)
        ids = spoken.tokenizer.encode(markers.tags[wrong], add_special_tokens=False)
        taken = 0
        for token_id in ids:
            if not grammar.flags()[token_id]:
                break
            assert grammar.accept(token_id)
            taken += 1
        assert taken < len(ids), f"{markers.tags[wrong]} was taken in phase {state.phase}"


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_the_grammar_goes_on_from_any_state(policy: Policy, seed: int, spoken: Spoken) -> None:
    """Also from the middle of a text, and from one that its limit has filled."""
    bound = spoken.bound
    writer = Writer(spoken, seed)
    walked = writer.walk(Automaton(bound, policy)).states
    for start in writer.rng.choices(walked, k=3):
        is_used_up = start.num_backtracks >= policy.max_backtracks
        lifted = {"max_steps": UNCOUNTED, "max_backtracks": start.num_backtracks if is_used_up else UNCOUNTED}
        automaton = Automaton(bound, policy.model_copy(update=lifted))
        if start.phase == "done":
            continue
        written = writer.walk(automaton, start)
        grammar = Mask(
            spoken.tokenizer, compile_continuation(bound, policy, start), len(spoken.tokenizer) + 7
        )
        if start.phase == "text" and automaton.text_room(start) == 0:
            ends = automaton.ends_of_text(start)
            firsts = {writer.markers.tags[end][0] for end in ends}
            assert {spoken.tokenizer.decode([i])[:1] for i in grammar.ids()} == firsts
        for token_id in written.token_ids:
            assert grammar.accept(token_id), start
        assert grammar.has_ended


@NO_SHRINKING
@given(seed=seeds, num_drafts=st.integers(1, 8))
def test_drafts_are_checked_and_taken_back(seed: int, num_drafts: int, spoken: Spoken) -> None:
    """As vLLM does it when it speculates."""
    policy, rng = POLICIES[0], random.Random(seed)
    token_ids = Writer(spoken, seed).walk(Automaton(spoken.bound, enforced_policy(policy))).token_ids
    tokenizer = from_tokenizer(spoken.tokenizer, len(spoken.tokenizer) + 7)
    text = grammar_from("grammar", compile_grammar(spoken.bound, policy))
    grammar, at = GuidanceGrammar(LLMatcher(tokenizer, text), tokenizer, tokenizer.vocab_size), 0
    while at < len(token_ids):
        draft = token_ids[at : at + num_drafts]
        before = mask(grammar)
        legal = grammar.validate_tokens(draft)
        # Of the tokenizer's own end of a sequence llguidance says that it may not come here.
        assert legal == [token_id for token_id in draft if token_id != spoken.bound.end_of_turn_id]
        for token_id in legal:
            assert mask(grammar)[token_id]
            assert grammar.accept_tokens("request", [token_id])
        if legal:
            grammar.rollback(len(legal))
        assert np.array_equal(mask(grammar), before)
        num_taken = rng.randint(1, len(draft))
        assert grammar.accept_tokens("request", draft[:num_taken])
        at += num_taken
    assert grammar.ll_matcher.is_stopped()


def soup(spoken: Spoken, seed: int) -> tuple[str, list[int]]:
    """Tags and text at random, and tokens that spell it."""
    writer = Writer(spoken, seed)
    tags = [
        '<backtrack to="3"/>',
        '<backtrack to="77"/>',
        "<reasoning>",
        "<step>",
        *writer.markers.tags.values(),
    ]
    text = "".join(writer.rng.choices([*PIECES, *tags, *tags], k=writer.rng.randrange(60)))
    return text, [*writer.tokens([Region(text)]), spoken.bound.end_of_turn_id]


@pytest.mark.parametrize("is_strict", [True, False])
@NO_SHRINKING
@given(seed=seeds)
def test_no_soup_breaks_the_order_or_the_chunking(seed: int, is_strict: bool, spoken: Spoken) -> None:
    _, token_ids = soup(spoken, seed)
    whole, trace = read(spoken, [token_ids], is_strict=is_strict)
    events, same = read(spoken, chunked(token_ids, seed), is_strict=is_strict)
    assert joined(events) == joined(whole)
    assert same == trace
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    assert len(draw_tree(trace)) > 0
    assert [event.sequence_number for event in whole] == list(range(1, len(whole) + 1))
    open_step: int | None = None
    for event in whole:
        match event.type:
            case "step.started":
                assert open_step is None
                open_step = event.step
            case "section.delta" | "section.done":
                assert event.step == open_step
            case "step.done":
                open_step = None
            case _:
                pass
    assert open_step is None


@NO_SHRINKING
@given(policy=policies, seed=seeds)
def test_a_walk_may_be_cut_at_any_token(policy: Policy, seed: int, spoken: Spoken) -> None:
    token_ids = Writer(spoken, seed).walk(Automaton(spoken.bound, policy)).token_ids
    position = random.Random(seed).randrange(len(token_ids))
    _, trace = read(spoken, [token_ids[:position]], finish="length")
    assert trace.num_violations == 0
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
