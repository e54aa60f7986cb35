"""Verdicts by force: on repeated steps, and by verifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from steiner.reasoning.policy import Policy
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement
from steiner.server.conductor.interventions.verdict import MAX_CONSECUTIVE_REPEATS


@dataclass(frozen=True)
class Opinion:
    """Says the same of every step of one number."""

    verdict: Any
    step: int
    name: str = "opinion"

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        assert problem == "make 22 from 15 4 11"
        assert step.text_of("verification")
        assert step.verdict is None
        return Judgement(self.verdict, "so it is said") if step.id == self.step else None

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return None


def interventions(events: list[Any]) -> list[Any]:
    return [event for event in events if event.type == "intervention"]


def behind_verdict(stage: Any, step: str, ending: str) -> str:
    """What a model says behind the verdict of a step."""
    return step[step.index("<step_verification_end>") :] + ending


@pytest.mark.parametrize("per_update", [1, 500])
@pytest.mark.parametrize(("said", "forced"), [("verified", "refuted"), ("refuted", "verified")])
async def test_a_verifier_outranks_the_model(stage: Any, per_update: int, said: str, forced: str) -> None:
    ending = "<end>22<eot>" if forced == "verified" else f"<backtrack>0{stage.step(number=5)}<end>22<eot>"
    engine = stage.engine(
        f"<start>{stage.step(said)}<proceed>{stage.step()}",
        behind_verdict(stage, stage.step(), ending),
        per_update=per_update,
    )
    conductor = stage.conductor(engine, verifier=Opinion(forced, 1))
    events = await stage.events(conductor.run())
    first = conductor.trace.steps[0]
    assert (first.verdict, first.verdict_forced) == (forced, True)
    (cut,) = interventions(events)
    assert (cut.kind, cut.step, cut.num_forced_tokens) == ("verifier", 1, 1)
    assert cut.detail == f"so it is said: {forced}"
    (verified, *_) = [event for event in events if event.type == "step.verified"]
    assert (verified.verdict, verified.forced) == (forced, True)
    assert events[-2].forced_tokens == 1
    assert conductor.trace.num_violations == 0
    assert conductor.trace.answer == "22"


async def test_a_verifier_that_agrees_costs_nothing(stage: Any) -> None:
    engine = stage.engine(stage.one_step)
    conductor = stage.conductor(engine, verifier=Opinion("verified", 1))
    events = await stage.events(conductor.run())
    assert len(engine.requests) == 1
    assert not interventions(events)
    assert not conductor.trace.steps[0].verdict_forced


async def test_a_verdict_outside_of_a_verification_is_nothing_to_judge(stage: Any) -> None:
    engine = stage.engine("<start><step_start><verified><step_end><end>22<eot>")
    conductor = stage.conductor(engine, Policy(constrained=False), verifier=Opinion("refuted", 1))
    events = await stage.events(conductor.run())
    assert not interventions(events)
    assert conductor.trace.num_violations > 0


async def test_a_step_that_repeats_a_sibling_is_refuted(stage: Any) -> None:
    again = stage.step("verified", 2)
    engine = stage.engine(
        f"<start>{stage.step()}<proceed>{stage.step('refuted', 2)}<backtrack>1{again}<proceed>",
        behind_verdict(stage, again, f"<backtrack>0{stage.step(number=7)}<end>22<eot>"),
    )
    conductor = stage.conductor(engine)
    events = await stage.events(conductor.run())
    third = conductor.trace.steps[2]
    assert (third.repeats, third.verdict, third.verdict_forced) == (2, "refuted", True)
    (cut,) = interventions(events)
    assert (cut.kind, cut.step, cut.detail) == ("loop", 3, "step 3 repeats step 2: refuted")
    (done,) = [event for event in events if event.type == "step.done" and event.repeats is not None]
    assert (done.step, done.repeats) == (3, 2)
    assert conductor.trace.conclusions() == ("left 7",)


async def test_a_step_that_is_back_at_an_ancestor_is_refuted(stage: Any) -> None:
    back = stage.step().replace("<step_next_step_start>left", "<step_next_step_start>make")
    engine = stage.engine(
        f"<start>{stage.step()}<proceed>{back}<proceed>",
        behind_verdict(stage, back, f"<backtrack>0{stage.step(number=7)}<end>22<eot>"),
    )
    conductor = stage.conductor(engine)
    await stage.events(conductor.run())
    assert (conductor.trace.steps[1].repeats, conductor.trace.steps[1].verdict) == (1, "refuted")


async def test_a_repeat_that_the_model_refutes_itself_is_marked_and_not_cut(stage: Any) -> None:
    repeated = f"<start>{stage.step('refuted')}<backtrack>0{stage.step('refuted')}<backtrack>0"
    engine = stage.engine(f"{repeated}{stage.step(number=3)}<end>22<eot>")
    conductor = stage.conductor(engine)
    events = await stage.events(conductor.run())
    assert not interventions(events)
    assert [step.repeats for step in conductor.trace.steps] == [None, 1, None]


async def test_a_model_that_does_nothing_else_is_stopped(stage: Any) -> None:
    circle = "".join(f"{stage.step('refuted')}<backtrack>0" for _ in range(20))
    engine = stage.engine(f"<start>{circle}", "22<eot>")
    conductor = stage.conductor(engine)
    events = await stage.events(conductor.run())
    trace = conductor.trace
    assert len(trace.steps) == 1 + MAX_CONSECUTIVE_REPEATS + 1
    assert trace.steps[-1].interrupted
    assert trace.steps[-1].verdict is None
    assert trace.ended_by == "loop"
    assert trace.answer == "22"
    (cut,) = interventions(events)
    assert (cut.kind, cut.num_forced_tokens) == ("loop", 3)


async def test_repeats_are_left_alone_where_the_policy_says_so(stage: Any) -> None:
    repeated = f"<start>{stage.step('refuted')}<backtrack>0{stage.step()}<end>22<eot>"
    conductor = stage.conductor(stage.engine(repeated), Policy(refute_repeats=False))
    assert not interventions(await stage.events(conductor.run()))
    assert conductor.trace.steps[1].verdict == "verified"


async def test_a_refutation_without_a_backtrack_left_ends_the_search(stage: Any) -> None:
    engine = stage.engine(
        f"<start>{stage.step()}<proceed>",
        behind_verdict(stage, stage.step(), f"<backtrack>0{stage.step()}"),
        "22<eot>",
    )
    conductor = stage.conductor(engine, Policy(max_backtracks=0), verifier=Opinion("refuted", 1))
    events = await stage.events(conductor.run())
    assert [cut.kind for cut in interventions(events)] == ["verifier", "budget"]
    assert conductor.trace.ended_by == "max_backtracks"
    assert conductor.trace.answer == "22"


async def test_a_verdict_behind_its_verification_is_not_replaced(stage: Any) -> None:
    """The verification ended without one, so a forced verdict would break the protocol, too."""
    step = stage.step().replace("<verified><step_verification_end>", "<step_verification_end><verified>")
    engine = stage.engine(f"<start>{step}<end>22<eot>")
    conductor = stage.conductor(engine, Policy(constrained=False), verifier=Opinion("refuted", 1))
    assert not interventions(await stage.events(conductor.run()))
    assert conductor.trace.steps[0].verdict is None
