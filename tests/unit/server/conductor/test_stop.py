"""Stop strings and tokens: what they end, what is said up to them, and that the engine is freed."""

from typing import Any

import pytest

from steiner.reasoning.parser.stop_strings import StopRule
from steiner.reasoning.tree.trace_of_events import trace_of
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

PER_UPDATE = (1, 2, 3, 1000)


def answer_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if event.type == "answer.delta")


@pytest.mark.parametrize("per_update", PER_UPDATE)
@pytest.mark.parametrize(
    ("stop", "included", "text"),
    [
        ("left", False, "make 22 from 15 "),
        ("left", True, "make 22 from 15 left"),
        ("2 from 1", False, "make 2"),
        ("2 from 1", True, "make 22 from 1"),
        ("make", False, ""),
        ("never", False, "make 22 from 15 left 3 left 4"),
    ],
)
async def test_the_answer_ends_at_the_stop_string(
    stage: Any, stop: str, included: bool, text: str, per_update: int
) -> None:
    whole = "make 22 from 15 left 3 left 4"
    reasoning = f"<start>{stage.step()}<end>"
    engine = stage.engine(f"{reasoning}{whole}<eot>", per_update=per_update)
    conductor = stage.conductor(engine, stop=StopRule((stop,), included=included))
    events = await stage.events(conductor.run())
    answer_done, usage, done = events[-3:]
    assert answer_of(events) == answer_done.text == conductor.trace.answer == text
    assert trace_of(events).answer == text
    assert (answer_done.finish_reason, done.finish_reason) == ("stop", "stop")
    if stop not in whole:
        assert answer_done.stop_reason is None
        assert engine.aborted == []
        return
    assert answer_done.stop_reason == stop
    # The tokens up to the one that completes it, and none behind.
    ids = stage.ids_of(whole)
    num_used = next(n for n in range(1, len(ids) + 1) if stop in stage.tokenizer.decode(ids[:n]))
    assert usage.answer_tokens == answer_done.num_tokens == num_used
    assert usage.completion_tokens == len(stage.ids_of(reasoning)) + num_used
    assert conductor.trace.finish_reason == "stop"
    # An engine that has finished by then has nothing to free.
    last_updates = len(stage.ids_of(reasoning)) + num_used + per_update
    if last_updates < len(engine.scripts[0].token_ids):
        assert engine.aborted == ["rsn_test"]


@pytest.mark.parametrize("per_update", PER_UPDATE)
async def test_the_reasoning_is_not_ended(stage: Any, per_update: int) -> None:
    engine = stage.engine(stage.with_backtrack, per_update=per_update)
    token_ids = frozenset(stage.ids_of("left"))
    conductor = stage.conductor(engine, stop=StopRule(("left", "2"), token_ids))
    events = await stage.events(conductor.run())
    assert len(conductor.trace.steps) == 3
    assert conductor.trace.answer == "make "
    assert events[-1].finish_reason == "stop"


@pytest.mark.parametrize("per_update", PER_UPDATE)
@pytest.mark.parametrize("included", [False, True])
async def test_a_stop_token_ends_the_answer(stage: Any, per_update: int, included: bool) -> None:
    [stop_id] = stage.ids_of("from")
    engine = stage.engine(f"<start>{stage.step()}<end>22 from 15<eot>", per_update=per_update)
    conductor = stage.conductor(engine, stop=StopRule(token_ids=frozenset({stop_id}), included=included))
    events = await stage.events(conductor.run())
    answer_done, usage, done = events[-3:]
    assert answer_done.text == ("22 from" if included else "22")
    assert answer_done.stop_reason == stop_id
    assert done.finish_reason == "stop"
    num_reasoning = len(stage.ids_of(f"<start>{stage.step()}<end>"))
    assert usage.completion_tokens == num_reasoning + len(stage.ids_of("22 from"))


@pytest.mark.parametrize("per_update", PER_UPDATE)
async def test_the_end_of_turn_as_a_stop_token_changes_nothing(stage: Any, per_update: int) -> None:
    """Clients send the ids of their model's generation config."""
    end_of_text = stage.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    stop = StopRule(("never",), frozenset({stage.bound.end_of_turn_id, end_of_text}))
    for ending in (stage.bound.end_of_turn_id, end_of_text):
        ids = [*stage.ids_of(stage.one_step)[:-1], ending]
        conductor = stage.conductor(ScriptedEngine([Script(ids, per_update)]), stop=stop)
        events = await stage.events(conductor.run())
        assert conductor.trace.answer == "22"
        assert conductor.trace.num_violations == 0
        assert events[-1].finish_reason == "stop"
        assert events[-3].stop_reason is None
        assert events[-2].completion_tokens == len(ids)


@pytest.mark.parametrize("max_tokens", range(24, 34))
async def test_what_was_held_back_is_said_at_the_length_limit(stage: Any, max_tokens: int) -> None:
    text = f"<start>{stage.step()}<end>make 22 from 15<eot>"
    answers = []
    for stop in (StopRule(), StopRule(("make 22 from 15 left",))):
        conductor = stage.conductor(stage.engine(text), max_tokens=max_tokens, stop=stop)
        events = await stage.events(conductor.run())
        answers.append((answer_of(events), conductor.trace.answer, events[-1].finish_reason))
    assert answers[0] == answers[1]


async def test_a_formatted_answer_ends_there_too(stage: Any) -> None:
    reasoning, _ = stage.one_step.split("<end>")
    engine = stage.engine(f"{reasoning}<end>", "15 left 3<eot>")
    conductor = stage.conductor(
        engine, answer_format=AnswerFormat("any", "any grammar"), stop=StopRule(("left",))
    )
    events = await stage.events(conductor.run())
    assert conductor.trace.answer == "15 "
    assert events[-1].finish_reason == "stop"
    assert engine.aborted[-1] == "rsn_test-1"
