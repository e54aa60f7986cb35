"""What the parser reads from legal walks, from walks that were closed early, and from token soup."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Opening, opening_of
from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.text_tree import draw_tree

POLICIES = [
    Policy(max_section_tokens=4),
    Policy(max_steps=40, max_depth=30, max_backtracks=20, max_section_tokens=2),
    Policy(max_steps=8, max_backtracks=6, allow_change_of_mind=True, max_section_tokens=2),
    Policy(max_reasoning_tokens=0),
]
policies = st.sampled_from(POLICIES)
seeds = st.integers(0, 2**32 - 1)
LETTERS = "abcdefgh"


def parser_for(spoken: Any, opening: Opening = "before") -> Parser:
    return Parser(spoken.bound, section_texts(spoken.tokenizer.backend_tokenizer), opening)


def chunked(token_ids: Sequence[int], seed: int) -> list[Sequence[int]]:
    """The ids in pieces of random size, empty ones among them."""
    rng = random.Random(seed)
    cuts = sorted(rng.choices(range(len(token_ids) + 1), k=rng.randrange(len(token_ids) + 1)))
    return [token_ids[a:b] for a, b in zip([0, *cuts], [*cuts, len(token_ids)], strict=True)]


def read(
    spoken: Any, chunks: Sequence[Sequence[int]], finish: bool = True, opening: Opening = "before"
) -> tuple[list[Event], Trace]:
    parser = parser_for(spoken, opening)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    if finish:
        events += parser.close("stop")
    return events, parser.trace


def joined(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Events without numbers, deltas that stand together as one."""
    said: list[dict[str, Any]] = []
    for event in events:
        fields = event.model_dump(exclude={"sequence_number"})
        last = said[-1] if said else {}
        if event.type.endswith(".delta") and {**last, "text": ""} == {**fields, "text": ""}:
            last["text"] += fields["text"]
        else:
            said.append(fields)
    return said


def decision_of(step: Step) -> str | int | None:
    match step.decision:
        case Proceed():
            return "proceed"
        case End():
            return "end"
        case Backtrack(to_depth=depth):
            return "backtrack" if depth is None else depth
        case None:
            return None


@given(policy=policies, seed=seeds)
def test_the_tree_is_the_one_that_was_walked(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    way = walker(Automaton(spoken.bound, policy), seed)
    decode = spoken.tokenizer.backend_tokenizer.decode
    # Bytes at random are seldom text; what becomes of them is the decoder's test.
    way.text_ids = [token_id for token_id in way.text_ids if decode([token_id]).isascii()]
    walk = way.walk()
    _, trace = read(spoken, [walk.token_ids])
    assert len(trace.steps) == len(walk.steps)
    for step, own in zip(trace.steps, walk.steps, strict=True):
        assert (step.id, step.depth, step.parent) == (own.id, own.depth, own.parent)
        assert (step.verdict, decision_of(step)) == (own.verdict, own.decision)
        assert [section.text for section in step.sections] == [decode(text) for text in own.texts]
        assert [section.num_tokens for section in step.sections] == [len(text) for text in own.texts]
        assert step.num_tokens == own.num_tokens
        assert not step.interrupted
        assert own.parent is None or step in trace.children(own.parent)
    assert trace.answer == decode(walk.answer)
    assert trace.num_answer_tokens == len(walk.answer)
    assert trace.num_reasoning_tokens == walk.token_ids.index(spoken.bound.reasoning_end_id) - 1
    assert (trace.num_violations, trace.finish_reason) == (0, "stop")
    has_orphans = any(own.parent is None for own in walk.steps)
    assert draw_tree(trace).count("\n") == len(trace.steps) + 1 + has_orphans


@given(policy=policies, seed=seeds)
def test_any_chunking_says_the_same(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    token_ids = walker(Automaton(spoken.bound, policy), seed).walk().token_ids
    whole, trace = read(spoken, [token_ids])
    for chunks in ([[token_id] for token_id in token_ids], chunked(token_ids, seed)):
        events, same = read(spoken, chunks)
        assert joined(events) == joined(whole)
        assert same == trace


@given(policy=policies, seed=seeds)
def test_what_the_prompt_has_opened_is_not_missed(
    policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    bound = spoken.bound
    start, *token_ids = walker(Automaton(bound, policy), seed).walk().token_ids
    whole, trace = read(spoken, [[start, *token_ids]])
    assert opening_of(bound, [bound.end_of_turn_id, 0, start, 0]) == "reasoning"
    events, same = read(spoken, chunked(token_ids, seed), opening="reasoning")
    assert (joined(events), same) == (joined(whole), trace)
    ended = [event.type for event in whole].index("reasoning.done") + 1
    answer = token_ids[token_ids.index(bound.reasoning_end_id) + 1 :]
    assert opening_of(bound, [start, 0, bound.reasoning_end_id, 0]) == "answer"
    assert joined(read(spoken, chunked(answer, seed), opening="answer")[0]) == joined(whole[ended:])


@given(policy=policies, seed=seeds)
def test_a_trace_and_its_events_survive_json(policy: Policy, seed: int, spoken: Any, walker: Any) -> None:
    token_ids = walker(Automaton(spoken.bound, policy), seed).walk().token_ids
    events, trace = read(spoken, chunked(token_ids, seed))
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    for event in events:
        assert EVENT_ADAPTER.validate_json(event.model_dump_json()) == event


@given(policy=policies, seed=seeds)
def test_a_closed_walk_is_read_without_a_violation(
    policy: Policy, seed: int, spoken: Any, walker: Any
) -> None:
    automaton = Automaton(spoken.bound, policy)
    way = walker(automaton, seed)
    walk = way.walk()
    # Rare phases as often as text, or a cut inside of a depth would hardly ever be seen.
    rng = random.Random(seed)
    phase = rng.choice(sorted({state.phase for state in walk.states}))
    position = rng.choice([i for i, state in enumerate(walk.states) if state.phase == phase])
    state = walk.states[position]
    parser = parser_for(spoken)
    parser.feed(walk.token_ids[:position])
    closing = automaton.closing(state)
    events = parser.feed(closing, forced=True, ended_by="max_reasoning_tokens")
    rest = way.walk(automaton.close(state)) if closing else way.walk(state)
    parser.feed(rest.token_ids)
    parser.close("stop")
    trace = parser.trace
    assert (trace.num_violations, trace.num_forced_tokens) == (0, len(closing))
    if not closing:
        return
    assert trace.ended_by == "max_reasoning_tokens"
    assert [event.type for event in events].count("reasoning.done") == 1
    # The step is whole if all that was missing is its own end.
    was_open = state.phase in ("section", "text", "verdict")
    assert [step.interrupted for step in trace.steps[-1:]] == [was_open] * bool(trace.steps)
    if was_open and trace.steps:
        assert trace.steps[-1].verdict == state.verdict
        assert trace.steps[-1].decision is None
    elif state.phase in ("step_end", "decision", "depth"):
        assert decision_of(trace.steps[-1]) == "end"
        assert trace.steps[-1].decision_forced


def soup(spoken: Any, walker: Any, seed: int) -> list[int]:
    """Markers and letters at random, or a legal walk with tokens lost, doubled and strewn in."""
    rng = random.Random(seed)
    letters = spoken.tokenizer.convert_tokens_to_ids(list(LETTERS + "01239"))
    any_ids = [*spoken.bound.special_ids, *letters, *letters]
    if rng.random() < 0.3:
        return [*rng.choices(any_ids, k=rng.randrange(60)), spoken.bound.end_of_turn_id]
    way = walker(Automaton(spoken.bound, POLICIES[2]), seed)
    way.text_ids = letters
    token_ids: list[int] = way.walk().token_ids[:-1]
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(token_ids) + 1)
        token_ids[place : place + rng.randrange(3)] = rng.choices(any_ids, k=rng.randrange(3))
    return [*token_ids, spoken.bound.end_of_turn_id]


@given(seed=seeds)
def test_no_soup_loses_text_or_order(seed: int, bytewise: Any, walker: Any) -> None:
    token_ids = soup(bytewise, walker, seed)
    events, trace = read(bytewise, chunked(token_ids, seed))
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    fed = bytewise.tokenizer.backend_tokenizer.decode(
        [token_id for token_id in token_ids if token_id not in bytewise.bound.special_ids]
    )
    kept = [event.text for event in events if event.type in ("section.delta", "answer.delta", "violation")]
    # A depth that leads somewhere is in the decision.
    kept += [
        str(event.to_depth) for event in events if event.type == "backtracked" and event.to_depth is not None
    ]
    assert Counter("".join(kept)) == Counter(fed)
    assert trace.num_violations == sum(event.type == "violation" for event in events)
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    assert len(draw_tree(trace)) > 0
    assert len(trace.live_path()) <= len(trace.steps)


@given(seed=seeds)
def test_what_begins_ends_in_any_soup(seed: int, bytewise: Any, walker: Any) -> None:
    events, trace = read(bytewise, [soup(bytewise, walker, seed)])
    open_step: int | None = None
    open_section: str | None = None
    for event in events:
        match event.type:
            case "step.started":
                assert open_step is None
                open_step = event.step
            case "section.started":
                assert (event.step, open_section) == (open_step, None)
                open_section = event.role
            case "section.delta" | "section.done":
                assert (event.step, event.role) == (open_step, open_section)
                open_section = None if event.type == "section.done" else open_section
            case "step.done":
                assert (event.step, open_section) == (open_step, None)
                open_step = None
            case _:
                pass
    assert (open_step, open_section) == (None, None)
    assert [step.id for step in trace.steps] == list(range(1, len(trace.steps) + 1))
    for step in trace.steps:
        assert step.parent is None or step.parent < step.id


@given(seed=seeds)
def test_soup_says_the_same_at_any_chunking(seed: int, bytewise: Any, walker: Any) -> None:
    token_ids = soup(bytewise, walker, seed)
    whole, trace = read(bytewise, [token_ids])
    events, same = read(bytewise, chunked(token_ids, seed))
    assert joined(events) == joined(whole)
    assert same == trace


@given(text=st.text(max_size=30), seed=seeds)
def test_text_is_whole_however_its_bytes_are_cut(text: str, seed: int, bytewise: Any) -> None:
    ids = bytewise.tokenizer.encode(text, add_special_tokens=False)
    decoder = section_texts(bytewise.tokenizer.backend_tokenizer)()
    assert "".join(map(decoder.feed, chunked(ids, seed))) + decoder.flush() == text


@given(seed=seeds)
def test_broken_bytes_are_the_same_at_any_chunking(seed: int, spoken: Any, walker: Any) -> None:
    rng = random.Random(seed)
    ids = rng.choices(walker(Automaton(spoken.bound, Policy()), seed).text_ids, k=rng.randrange(20))
    ids += spoken.tokenizer.encode(rng.choice(["é", "日本", "🙂", "left 15"]), add_special_tokens=False)
    rng.shuffle(ids)
    outcomes = []
    for chunks in ([ids], [[token_id] for token_id in ids], chunked(ids, seed)):
        decoder = section_texts(spoken.tokenizer.backend_tokenizer)()
        outcomes.append("".join(map(decoder.feed, chunks)) + decoder.flush())
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("finish_reason", ["stop", "length"])
@given(policy=policies, seed=seeds)
def test_a_trace_may_be_read_at_any_time(
    finish_reason: Any, policy: Policy, seed: int, bytewise: Any, walker: Any
) -> None:
    walk = walker(Automaton(bytewise.bound, policy), seed).walk()
    position = random.Random(seed).randrange(len(walk.token_ids))
    parser = parser_for(bytewise)
    parser.feed(walk.token_ids[:position])
    before = parser.trace
    assert Trace.model_validate_json(before.model_dump_json()) == before
    parser.close(finish_reason)
    after = parser.trace
    assert len(before.steps) == len(after.steps)
    assert after.num_violations == 0
    is_decided = walk.states[position].phase in ("step", "answer", "done")
    assert [step.interrupted for step in after.steps[-1:]] == [not is_decided] * bool(after.steps)
