"""Memory: what the engine is given behind a backtrack, and that readers see the same stream as without."""

from __future__ import annotations

from typing import Any

import pytest

from steiner.reasoning.policy import Policy

PROMPT = [1, 2, 3]


def told(events: list[Any]) -> list[dict[str, Any]]:
    """What a reader is told, without the numbering and the cuts."""
    return [
        event.model_dump(exclude={"sequence_number", "policy"})
        for event in events
        if event.type not in ("intervention", "section.delta")
    ]


def halves(stage: Any) -> tuple[str, str]:
    """A search with a backtrack, cut behind the token that starts the step after it."""
    before, after = stage.with_backtrack.split("<backtrack>1<step_start>")
    return f"{before}<backtrack>1<step_start>", after


@pytest.mark.parametrize("per_update", [1, 3, 500])
async def test_behind_a_backtrack_the_branch_is_its_summary(stage: Any, per_update: int) -> None:
    first, second = halves(stage)
    engine = stage.engine(stage.with_backtrack, second, per_update=per_update)
    conductor = stage.conductor(engine, Policy(memory=True))
    events = await stage.events(conductor.run())
    fold = "<step_start><step_summary_start>left 2<step_summary_end><step_end><backtrack>1"
    kept = f"<start>{stage.step()}<proceed>{fold}<step_start>"
    assert [list(request.prompt_ids) for request in engine.requests] == [
        PROMPT,
        PROMPT + stage.ids_of(kept),
    ]
    (cut,) = [event for event in events if event.type == "intervention"]
    assert (cut.kind, cut.num_forced_tokens, cut.step) == ("memory", 0, 3)
    assert cut.num_context_tokens == 3 + len(stage.ids_of(kept))
    num_saved = len(stage.ids_of(first)) - len(stage.ids_of(kept))
    assert cut.detail == f"{num_saved} tokens of branches abandoned at depth 1 folded"


async def test_a_reader_is_told_the_same_as_without(stage: Any) -> None:
    _, second = halves(stage)
    remembering = stage.conductor(stage.engine(stage.with_backtrack, second), Policy(memory=True))
    plain = stage.conductor(stage.engine(stage.with_backtrack), Policy())
    assert told(await stage.events(remembering.run())) == told(await stage.events(plain.run()))


async def test_a_second_branch_at_the_same_place_replaces_the_first(stage: Any) -> None:
    second = f"{stage.step('refuted', 3)}<backtrack>1{stage.step(number=4)}<end>22<eot>".removeprefix(
        "<step_start>"
    )
    third = f"{stage.step(number=4)}<end>22<eot>".removeprefix("<step_start>")
    engine = stage.engine(stage.with_backtrack, second, third)
    conductor = stage.conductor(engine, Policy(memory=True))
    await stage.events(conductor.run())
    fold = "<step_start><step_summary_start>left 3<step_summary_end><step_end><backtrack>1"
    kept = f"<start>{stage.step()}<proceed>{fold}<step_start>"
    assert list(engine.requests[2].prompt_ids) == PROMPT + stage.ids_of(kept)
    assert len(conductor.trace.steps) == 4


async def test_a_search_may_be_longer_than_the_context(stage: Any) -> None:
    """Each branch would fit by itself, all of them would not."""
    num_branches = 60
    first = f"<start>{stage.step('refuted', 1)}<backtrack>0<step_start>"
    between = f"{stage.step('refuted', 2)}<backtrack>0<step_start>".removeprefix("<step_start>")
    last = f"{stage.step(number=3)}<end>22<eot>".removeprefix("<step_start>")
    engine = stage.engine(first, *[between] * num_branches, last)
    engine.max_model_len = 120
    limits = {"max_steps": 1000, "max_backtracks": 1000, "refute_repeats": False}
    conductor = stage.conductor(engine, Policy(memory=True, **limits))
    events = await stage.events(conductor.run())
    assert conductor.trace.answer == "22"
    assert events[-2].completion_tokens > 10 * engine.max_model_len
    assert max(len(request.prompt_ids) + request.max_tokens for request in engine.requests) <= 120


async def test_a_context_that_is_full_ends_the_generation_for_its_length(stage: Any) -> None:
    engine = stage.engine(f"<start>{stage.step()}<proceed>{stage.step()}<end>22<eot>")
    engine.max_model_len = 40
    conductor = stage.conductor(engine, Policy(memory=True))
    events = await stage.events(conductor.run())
    assert events[-1].finish_reason == "length"
    assert events[-2].completion_tokens == 40 - len(PROMPT)
    assert conductor.trace.steps[-1].interrupted
