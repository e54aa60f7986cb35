"""The answer's own grammar: when it begins, what the engine is asked for, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.grammar_mask import Mask

from steiner.reasoning.grammar.rules import HEADER
from steiner.reasoning.policy import Policy
from steiner.server.conductor.assignment import AnswerFormat

FORMAT = AnswerFormat("schema number", "answer: NUMBER\nNUMBER: /[0-9]+/")


def whole(bound: Any) -> str:
    """The format's grammar as the engine gets it: the end of the turn is part of it, and nothing else ends it."""
    return f"{HEADER}start: answer <[{bound.end_of_turn_id}]>\n{FORMAT.grammar}"


def test_the_grammar_of_a_format_is_one_and_ends_with_the_turn(stage: Any) -> None:
    mask = Mask(stage.tokenizer, whole(stage.bound), stage.bound.vocab_size)
    numbers = mask.ids()
    assert numbers
    assert stage.bound.end_of_turn_id not in numbers
    assert mask.accept(min(numbers))
    assert stage.bound.end_of_turn_id in mask.ids()


async def test_the_reasoning_knows_nothing_of_it(stage: Any) -> None:
    reasoning, answer = stage.one_step.split("<end>")
    engine = stage.engine(f"{reasoning}<end>", answer)
    conductor = stage.conductor(engine, answer_format=FORMAT)
    events = await stage.events(conductor.run())
    first, second = engine.requests
    assert first.grammar not in (None, FORMAT.grammar)
    assert first.stop_ids == (stage.bound.end_of_turn_id, stage.bound.reasoning_end_id)
    assert second.grammar == whole(stage.bound)
    assert second.min_tokens == 1
    assert second.stop_ids == (stage.bound.end_of_turn_id,)
    assert not second.logit_bias
    (cut,) = [event for event in events if event.type == "intervention"]
    assert (cut.kind, cut.num_forced_tokens) == ("answer", 0)
    assert cut.detail == "the answer is held to schema number"
    assert conductor.trace.answer == "22"
    assert conductor.trace.num_violations == 0
    assert events[-1].finish_reason == "stop"


@pytest.mark.parametrize("max_steps", [1, 4])
async def test_the_model_may_end_its_reasoning_where_the_request_stops(stage: Any, max_steps: int) -> None:
    reasoning, answer = stage.one_step.split("<end>")
    engine = stage.engine(f"{reasoning}<end>", answer)
    await stage.events(stage.conductor(engine, Policy(max_steps=max_steps), answer_format=FORMAT).run())
    request = engine.requests[0]
    mask = Mask(stage.tokenizer, request.grammar, stage.bound.vocab_size)
    assert all(mask.accept(token_id) for token_id in stage.ids_of(f"{reasoning}<end>"))
    assert request.stop_ids[-1] == stage.ids_of("<end>")[0]


async def test_a_reasoning_without_a_grammar_stops_at_its_end(stage: Any) -> None:
    reasoning, answer = stage.one_step.split("<end>")
    engine = stage.engine(f"{reasoning}<end>", answer)
    conductor = stage.conductor(engine, Policy(constrained=False), answer_format=FORMAT)
    await stage.events(conductor.run())
    assert engine.requests[0].stop_ids == (stage.bound.end_of_turn_id, stage.bound.reasoning_end_id)
    assert conductor.trace.answer == "22"


@pytest.mark.parametrize("max_reasoning_tokens", [0, 15])
async def test_it_follows_a_reasoning_that_was_closed_by_force(stage: Any, max_reasoning_tokens: int) -> None:
    texts = [stage.with_backtrack] if max_reasoning_tokens else []
    engine = stage.engine(*texts, "22<eot>")
    conductor = stage.conductor(
        engine, Policy(max_reasoning_tokens=max_reasoning_tokens), answer_format=FORMAT
    )
    events = await stage.events(conductor.run())
    kinds = [event.kind for event in events if event.type == "intervention"]
    assert kinds == ["budget", "answer"]
    assert engine.requests[-1].grammar == whole(stage.bound)
    assert len(engine.requests) == len(texts) + 1
    assert conductor.trace.answer == "22"


async def test_biases_reach_the_engine(stage: Any) -> None:
    engine = stage.engine(stage.one_step)
    conductor = stage.conductor(engine, Policy(backtrack_bias=2.5, end_bias=-1.0))
    await stage.events(conductor.run())
    assert engine.requests[0].logit_bias == {
        stage.bound.backtrack_id: 2.5,
        stage.bound.reasoning_end_id: -1.0,
    }


@pytest.mark.parametrize("said", ["22<eot>", "<start><step_start><eot>", "<end>22<eot>"])
async def test_a_free_model_that_does_not_end_its_reasoning_is_held_to_it(stage: Any, said: str) -> None:
    engine = stage.engine(said, "22<eot>")
    conductor = stage.conductor(engine, Policy(constrained=False), answer_format=FORMAT)
    events = await stage.events(conductor.run())
    assert engine.requests[-1].grammar == whole(stage.bound)
    assert conductor.trace.answer == "22"
    assert [event.kind for event in events if event.type == "intervention"] == ["answer", "answer"]
