"""The conductor against scripted engines: what is sampled, cut, forced, continued, and how it ends."""

from typing import Any

import pytest

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import counts_in_grammar
from steiner.reasoning.policy import Policy
from steiner.server.engine.base import EngineError, Sampling
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

PER_UPDATE = (1, 2, 3, 5, 16, 500)


def types(events: list[Any]) -> list[str]:
    return [event.type for event in events]


async def test_without_a_cut_a_generation_is_one_request(stage: Any) -> None:
    engine = stage.engine(stage.with_backtrack)
    conductor = stage.conductor(engine)
    events = await stage.events(conductor.run())
    assert len(engine.requests) == 1
    assert engine.requests[0].grammar == compile_grammar(stage.bound, Policy())
    assert engine.requests[0].stop_ids == (stage.bound.end_of_turn_id,)
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert types(events)[0] == "reasoning.started"
    assert types(events)[-4:] == ["answer.delta", "answer.done", "usage", "done"]
    assert conductor.trace.answer == "make 22"
    assert [step.verdict for step in conductor.trace.steps] == ["verified", "refuted", "verified"]
    assert [step.parent for step in conductor.trace.steps] == [0, 1, 1]


@pytest.mark.parametrize("per_update", PER_UPDATE)
async def test_how_the_engine_groups_tokens_changes_nothing(stage: Any, per_update: int) -> None:
    policy = Policy(max_reasoning_tokens=40)
    outcomes = []
    for size in (1, per_update):
        engine = stage.engine(stage.with_backtrack, "22<eot>", per_update=size)
        conductor = stage.conductor(engine, policy)
        events = await stage.events(conductor.run())
        usage = next(event for event in events if event.type == "usage")
        steps = [step.model_copy(update={"started_s": 0, "finished_s": 0}) for step in conductor.trace.steps]
        kept = [name for name in types(events) if not name.endswith(".delta")]
        outcomes.append((kept, steps, conductor.trace.answer, usage.completion_tokens))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("budget", range(15, 75))
@pytest.mark.parametrize("per_update", [1, 7])
async def test_the_budget_is_a_hard_bound_and_used_up(stage: Any, budget: int, per_update: int) -> None:
    engine = stage.engine(stage.with_backtrack, "22<eot>", per_update=per_update)
    conductor = stage.conductor(engine, Policy(max_reasoning_tokens=budget))
    events = await stage.events(conductor.run())
    trace = conductor.trace
    usage = next(event for event in events if event.type == "usage")
    whole = len(stage.ids_of(stage.with_backtrack))
    assert trace.num_reasoning_tokens <= budget
    if len(engine.requests) == 1:
        assert usage.forced_tokens == 0
        assert usage.completion_tokens == whole
        return
    assert budget - trace.num_reasoning_tokens <= 2
    assert trace.ended_by == "max_reasoning_tokens"
    assert trace.answer == "22"
    assert 1 <= usage.forced_tokens <= 3
    assert trace.num_violations == 0
    [cut] = [event for event in events if event.type == "intervention"]
    assert (cut.kind, cut.num_forced_tokens) == ("budget", usage.forced_tokens)
    # The engine was freed of the cut request, and continues over what was kept and forced.
    first, second = engine.requests
    assert engine.aborted == [first.request_id]
    assert list(second.prompt_ids)[3:][-1] == stage.bound.reasoning_end_id
    assert second.max_tokens == first.max_tokens - (len(second.prompt_ids) - 3)
    assert second.grammar == compile_grammar(
        stage.bound, Policy(max_reasoning_tokens=budget), State("answer")
    )
    assert second.sampling.seed == 8
    *whole_steps, last = trace.steps
    assert not any(step.interrupted for step in whole_steps)
    # A step is interrupted if a section of it is missing or was ended by force.
    assert last.interrupted == (len(last.sections) < 4 or usage.forced_tokens == 3)


async def test_forced_tokens_are_those_of_the_automaton(stage: Any) -> None:
    ids = stage.ids_of(stage.with_backtrack)
    for budget in range(15, 70):
        policy = Policy(max_reasoning_tokens=budget)
        engine = ScriptedEngine([Script(ids), Script(stage.ids_of("22<eot>"))])
        await stage.events(stage.conductor(engine, policy).run())
        if len(engine.requests) == 1:
            continue
        completion = list(engine.requests[1].prompt_ids)[3:]
        automaton = Automaton(stage.bound, policy)
        state, num_kept = automaton.initial, 0
        while completion[num_kept:] != list(automaton.closing(state)):
            state = automaton.advance(state, completion[num_kept])
            num_kept += 1
        assert completion[:num_kept] == ids[:num_kept]


async def test_budget_nothing_answers_at_once(stage: Any) -> None:
    engine = stage.engine("22<eot>")
    conductor = stage.conductor(engine, Policy.for_effort("none"))
    events = await stage.events(conductor.run())
    bound = stage.bound
    assert list(engine.requests[0].prompt_ids) == [1, 2, 3, bound.reasoning_start_id, bound.reasoning_end_id]
    assert types(events) == [
        "reasoning.started",
        "intervention",
        "reasoning.done",
        "answer.delta",
        "answer.done",
        "usage",
        "done",
    ]
    assert events[-2].forced_tokens == 2
    assert events[-2].reasoning_tokens == 0
    assert events[-2].completion_tokens == 2 + 2


async def test_cached_tokens_are_those_of_the_first_request_and_of_the_prompt(stage: Any) -> None:
    for first, told in ((None, 0), (0, 0), (2, 2), (5, 3)):
        reasoning = Script(stage.ids_of("<start>"), num_cached_tokens=first)
        rest = Script(stage.ids_of("22<eot>"), num_cached_tokens=first and 3)
        conductor = stage.conductor(ScriptedEngine([reasoning, rest]), Policy(max_reasoning_tokens=0))
        assert (await stage.events(conductor.run()))[-2].cached_tokens == told


@pytest.mark.parametrize(
    ("policy", "ended_by"),
    [
        (Policy(max_steps=1), "max_steps"),
        (Policy(max_steps=2), "max_steps"),
        (Policy(max_backtracks=0), "max_backtracks"),
        (Policy(), "model"),
    ],
)
async def test_the_limit_that_ends_the_reasoning_is_named(stage: Any, policy: Policy, ended_by: str) -> None:
    num_steps = {"max_steps": policy.max_steps, "max_backtracks": 2}.get(ended_by, 3)
    steps = [stage.step(), "<proceed>" + stage.step("refuted", 2), "<backtrack>1" + stage.step(number=3)]
    ending = "".join(steps[:num_steps])
    text = f"<start>{ending}<end>22<eot>"
    conductor = stage.conductor(stage.engine(text), policy)
    await stage.events(conductor.run())
    assert conductor.trace.ended_by == ended_by
    assert conductor.trace.answer == "22"


@pytest.mark.parametrize(("limit", "num_steps"), [("max_steps", 40), ("max_backtracks", 2)])
async def test_counts_beyond_the_grammar_are_kept_by_a_cut(stage: Any, limit: str, num_steps: int) -> None:
    wide = {"max_depth": 64, "max_steps": 600, "max_backtracks": 600, "refute_repeats": False}
    policy = Policy(**(wide | {limit: {"max_steps": 40, "max_backtracks": 0}[limit]}))
    counted = counts_in_grammar(policy)
    assert not (counted.steps and counted.backtracks), "the policy was meant to be beyond the grammar"
    onwards = "<start>" + "<proceed>".join(stage.step() for _ in range(41)) + "<end>22<eot>"
    text = {"max_steps": onwards, "max_backtracks": stage.with_backtrack}[limit]
    engine = stage.engine(text, "22<eot>")
    conductor = stage.conductor(engine, policy)
    events = await stage.events(conductor.run())
    trace = conductor.trace
    [cut] = [event for event in events if event.type == "intervention"]
    assert (cut.kind, cut.num_forced_tokens, events[-2].forced_tokens) == ("budget", 1, 1)
    assert len(trace.steps) == num_steps
    assert trace.ended_by == limit
    assert trace.num_violations == 0
    assert not any(step.interrupted for step in trace.steps)
    assert trace.answer == "22"


async def test_backtracks_that_are_used_up_leave_the_other_choices(stage: Any) -> None:
    """A change of mind beyond the limit is not sampled, and the model may still go on."""
    policy = Policy(max_backtracks=0, max_steps=300, max_depth=64, allow_change_of_mind=True)
    assert not counts_in_grammar(policy).steps
    text = f"<start>{stage.step()}<backtrack>0{stage.step()}"
    engine = stage.engine(text, f"<proceed>{stage.step(number=2)}<end>22<eot>")
    conductor = stage.conductor(engine, policy)
    events = await stage.events(conductor.run())
    [cut] = [event for event in events if event.type == "intervention"]
    assert (cut.kind, cut.num_forced_tokens) == ("budget", 0)
    assert cut.detail == "max_backtracks (0) used up"
    assert f"<[{stage.bound.backtrack_id}]>" not in engine.requests[1].grammar
    assert (conductor.trace.ended_by, conductor.trace.num_backtracks) == ("model", 0)
    assert len(conductor.trace.steps) == 2


@pytest.mark.parametrize("max_tokens", range(1, 60))
async def test_the_length_limit_is_a_hard_bound(stage: Any, max_tokens: int) -> None:
    engine = stage.engine(stage.one_step, per_update=4)
    conductor = stage.conductor(engine, Policy(max_reasoning_tokens=20), max_tokens)
    events = await stage.events(conductor.run())
    usage, done = events[-2:]
    assert usage.completion_tokens <= max_tokens
    assert done.type == "done"
    if done.finish_reason == "length" and conductor.trace.ended_by is None:
        assert conductor.trace.answer == ""
        assert all(step.interrupted for step in conductor.trace.steps)


async def test_nothing_behind_a_cut_is_seen(stage: Any) -> None:
    engine = stage.engine(stage.with_backtrack, "22<eot>", per_update=500)
    conductor = stage.conductor(engine, Policy(max_reasoning_tokens=30))
    events = await stage.events(conductor.run())
    assert len(conductor.trace.steps) == 2
    assert "backtracked" not in types(events)
    assert not [event for event in events if getattr(event, "verdict", None) == "refuted"]


async def test_a_foreign_model_is_reported_and_its_text_kept(stage: Any) -> None:
    engine = stage.engine("22<eot>")
    conductor = stage.conductor(engine, Policy(constrained=False))
    events = await stage.events(conductor.run())
    assert engine.requests[0].grammar is None
    assert "violation" in types(events)
    assert conductor.trace.answer == "22"


async def test_another_stop_token_is_no_text(stage: Any) -> None:
    end_of_text = stage.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    ids = [*stage.ids_of(stage.one_step)[:-1], end_of_text]
    conductor = stage.conductor(ScriptedEngine([Script(ids, 3)]))
    events = await stage.events(conductor.run())
    assert conductor.trace.answer == "22"
    assert conductor.trace.num_violations == 0
    assert events[-1].finish_reason == "stop"
    assert events[-2].completion_tokens == len(ids)


async def test_an_engine_that_fails_raises_and_fail_makes_the_ending(stage: Any) -> None:
    script = Script(stage.ids_of(f"<start>{stage.step()}"), raises=EngineError("broken"))
    conductor = stage.conductor(ScriptedEngine([script]))
    with pytest.raises(EngineError, match="broken"):
        await stage.events(conductor.run())
    usage, failed = conductor.fail("it broke", "engine_error")
    assert usage.completion_tokens == len(script.token_ids)
    assert (failed.type, failed.code) == ("error", "engine_error")


async def test_closing_the_run_aborts_the_engine(stage: Any) -> None:
    engine = stage.engine(stage.one_step, holds=True)
    run = stage.conductor(engine).run()
    await anext(run)
    await anext(run)
    await run.aclose()
    assert engine.aborted == ["rsn_test"]


@pytest.mark.parametrize("per_update", PER_UPDATE)
async def test_limits_that_are_not_enforced_end_nothing(stage: Any, per_update: int) -> None:
    engine = stage.engine(f"<start>{stage.step()}<end>22<verified>2<eot>", per_update=per_update)
    conductor = stage.conductor(engine, Policy(constrained=False, max_steps=1))
    await stage.events(conductor.run())
    assert conductor.trace.ended_by == "model"


async def test_markers_in_front_of_the_reasoning_do_not_hide_it_from_the_budget(stage: Any) -> None:
    engine = stage.engine(f"<verified><start>{stage.step()}<end>22<eot>", "22<eot>")
    conductor = stage.conductor(engine, Policy(constrained=False, max_reasoning_tokens=15))
    events = await stage.events(conductor.run())
    assert events[-2].reasoning_tokens <= 15
    assert conductor.trace.ended_by == "max_reasoning_tokens"


async def test_the_seed_of_a_continuation_stays_in_range(stage: Any) -> None:
    for seed in (2**63 - 1, -2):
        engine = stage.engine(stage.with_backtrack, "22<eot>")
        conductor = stage.conductor(engine, Policy(max_reasoning_tokens=20), sampling=Sampling(seed=seed))
        await stage.events(conductor.run())
        first, second = (request.sampling.seed for request in engine.requests)
        assert first == seed
        assert 0 <= second < 2**63
