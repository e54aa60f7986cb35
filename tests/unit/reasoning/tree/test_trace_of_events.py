"""A stream and its trace tell the same; what a stream leaves out stays out; broken ones are refused."""

from typing import Any

import pytest

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.policy import Policy
from steiner.reasoning.steps import Backtrack, Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.events_of_trace import events_of
from steiner.reasoning.tree.trace_of_events import BrokenStreamError, trace_of
from steiner.terminal.tree_view import TreeView

NOT_IN_EVENTS: dict[str, Any] = {"started_s": 0.0, "finished_s": None, "decision_forced": False}


def as_told(trace: Trace) -> Trace:
    """The trace without what events do not say."""
    steps = tuple(step.model_copy(update=NOT_IN_EVENTS) for step in trace.steps)
    return trace.model_copy(update={"steps": steps, "problem": ""})


async def generated(stage: Any, *texts: str, policy: Policy | None = None) -> tuple[list[Event], Trace]:
    conductor = stage.conductor(stage.engine(*texts), policy)
    return await stage.events(conductor.run()), conductor.trace


@pytest.mark.parametrize("budget", [None, 0, 20, 33, 47, 60, 70])
async def test_the_fold_of_a_stream_is_the_servers_trace(stage: Any, budget: int | None) -> None:
    policy = Policy(max_reasoning_tokens=budget)
    stream, trace = await generated(stage, stage.with_backtrack, "22<eot>", policy=policy)
    assert trace_of(stream) == as_told(trace)


async def test_violations_are_counted(stage: Any) -> None:
    stream, trace = await generated(stage, "22<step_end>22<eot>")
    assert trace.num_violations > 0
    assert trace_of(stream) == as_told(trace)


async def test_a_trace_told_as_events_and_folded_again_is_the_trace(stage: Any) -> None:
    _, trace = await generated(stage, stage.with_backtrack, "22<eot>", policy=Policy(max_reasoning_tokens=47))
    told = events_of(trace)
    assert [event.sequence_number for event in told] == list(range(1, len(told) + 1))
    folded = trace_of(told)
    kept = {"steps", "answer", "ended_by", "finish_reason", "num_reasoning_tokens", "num_answer_tokens"}
    assert folded.model_dump(include=kept) == as_told(trace).model_dump(include=kept)
    assert [cut.kind for cut in folded.interventions] == [cut.kind for cut in trace.interventions] != []


async def test_repeated_events_count_once(stage: Any) -> None:
    stream, trace = await generated(stage, stage.with_backtrack)
    assert trace_of([*stream[:30], *stream[10:40], *stream[20:]]) == as_told(trace)


async def test_a_stream_may_stop_anywhere(stage: Any) -> None:
    stream, trace = await generated(stage, stage.with_backtrack)
    for length in range(len(stream)):
        told = trace_of(stream[:length])
        assert len(told.steps) <= len(trace.steps)
        assert trace.answer.startswith(told.answer)


async def test_streams_that_cannot_be(stage: Any) -> None:
    stream, _ = await generated(stage, stage.with_backtrack)
    with pytest.raises(BrokenStreamError, match=r"event \d+ .*step 1 never began; the beginning"):
        trace_of(stream[5:])
    other = events.ReasoningStarted(
        sequence_number=1, id="rsn_other", model="m", protocol="steiner", policy=Policy()
    )
    with pytest.raises(BrokenStreamError, match="a second generation begins"):
        trace_of([*stream, other])
    begun = events.StepStarted(step=1, depth=1, parent=0)
    with pytest.raises(BrokenStreamError, match="step 1 began before"):
        trace_of([begun, begun])
    with pytest.raises(BrokenStreamError, match="section summary of step 1 never began"):
        trace_of([begun, events.SectionDelta(step=1, role="summary", text="so")])


def test_a_running_step_is_not_told_as_done() -> None:
    section = Section(role="next_step", name="next_step", text="try", num_tokens=1)
    running = Trace(protocol="steiner", steps=(Step(id=1, depth=1, parent=0, sections=(section,)),))
    assert "step.done" not in [event.type for event in events_of(running)]


def test_every_event_that_is_told_can_be_shown() -> None:
    import io

    from rich.console import Console

    trace = Trace(
        protocol="steiner",
        steps=(
            Step(id=1, depth=1, parent=0, decision=Backtrack(to_depth=0), verdict="refuted", repeats=1),
            Step(id=2, depth=1, parent=0, interrupted=True),
        ),
        answer="22",
        ended_by="max_reasoning_tokens",
        finish_reason="stop",
        interventions=(
            events.Intervention(
                kind="budget", step=2, num_forced_tokens=2, num_context_tokens=9, detail="closed"
            ),
            events.Intervention(
                kind="answer", step=None, num_forced_tokens=0, num_context_tokens=9, detail="schema"
            ),
        ),
    )
    console = Console(file=io.StringIO(), width=80)
    view = TreeView(console, "make 22")
    view.begin()
    for event in events_of(trace):
        view.handle(event)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "make 22",
        "├─ step 1",
        "│    repeats step 1",
        "│    ↩ back to the problem",
        "├─ step 2",
        "│    intervention (budget): closed",
        "│    interrupted",
        "│    intervention (answer): schema",
        "└─ answer         22",
    ]
