"""Events in their order, interrupted steps, what was forced, and what is said of a model that breaks the protocol."""

from __future__ import annotations

from typing import Any

import pytest

from steiner.reasoning.events import EVENT_ADAPTER, Done, Intervention
from steiner.reasoning.steps import Backtrack, End, Proceed

STEP_EVENTS = [
    "step.started",
    "section.started understanding",
    "section.delta understanding",
    "section.done understanding",
    "section.started next_step",
    "section.delta next_step",
    "section.done next_step",
    "section.started verification",
    "section.delta verification",
    "step.verified",
    "section.done verification",
    "section.started summary",
    "section.delta summary",
    "section.done summary",
]


def told(events: list[Any]) -> list[str]:
    """Types, with the section of those that belong to one."""
    return [f"{event.type} {event.role}" if hasattr(event, "role") else event.type for event in events]


def violations(events: list[Any]) -> list[str]:
    return [event.detail for event in events if event.type == "violation"]


def test_the_order_of_events(parser: Any, spelling: Any) -> None:
    text = f"<start>{spelling.step('refuted')}<backtrack>0{spelling.step()}<end>22<eot>"
    events = parser.feed(spelling.ids_of(text)) + parser.close("stop")
    assert told(events) == [
        *STEP_EVENTS,
        "step.done",
        "backtracked",
        *STEP_EVENTS,
        "step.done",
        "reasoning.done",
        "answer.delta",
        "answer.done",
    ]
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert all(EVENT_ADAPTER.validate_python(event.model_dump()) == event for event in events)


def test_a_step_is_done_when_its_decision_is_known(parser: Any, spelling: Any) -> None:
    assert told(parser.feed(spelling.ids_of(f"<start>{spelling.step('refuted')}")))[-1] == (
        "section.done summary"
    )
    assert parser.feed(spelling.ids_of("<backtrack>")) == []
    assert parser.feed(spelling.ids_of("0")) == []
    done, back, started = parser.feed(spelling.ids_of("<step_start>"))
    assert (done.type, done.verdict, done.decision) == ("step.done", "refuted", Backtrack(to_depth=0))
    assert (back.from_step, back.to_depth, back.to_step) == (1, 0, 0)
    assert (started.step, started.depth, started.parent) == (2, 1, 0)


def test_proceeding_and_ending(parser: Any, spelling: Any) -> None:
    events = parser.feed(spelling.ids_of(f"{spelling.path('<proceed>', '<end>')}22<eot>"))
    done = [event for event in events if event.type == "step.done"]
    assert [event.decision for event in done] == [Proceed(), End()]
    assert [(step.depth, step.parent) for step in parser.trace.steps] == [(1, 0), (2, 1)]
    (ended,) = [event for event in events if event.type == "reasoning.done"]
    assert (ended.ended_by, ended.num_steps, ended.num_backtracks) == ("model", 2, 0)
    assert ended.num_reasoning_tokens == parser.num_reasoning_tokens


def test_counts(parser: Any, spelling: Any) -> None:
    step = spelling.step()
    parser.feed(spelling.ids_of(f"<start>{step}<proceed>{step}<end>make 22<eot>"))
    trace = parser.trace
    size = len(spelling.ids_of(step))
    assert [step.num_tokens for step in trace.steps] == [size, size]
    assert trace.num_reasoning_tokens == 2 * size + 1
    assert (trace.num_answer_tokens, trace.num_forced_tokens) == (2, 0)
    assert [section.num_tokens for section in trace.steps[0].sections] == [2, 2, 1, 2]
    assert [section.text.strip() for section in trace.steps[0].sections] == [
        "left 15",
        "make 22",
        "left",
        "left 7",
    ]


def test_text_of_one_update_is_one_delta(parser: Any, spelling: Any) -> None:
    opened = "<start><step_start><step_understanding_start>"
    events = parser.feed(spelling.ids_of(f"{opened}left 15 7 4"))
    assert told(events).count("section.delta understanding") == 1
    more = parser.feed(spelling.ids_of("make 22"))
    assert told(more) == ["section.delta understanding"]
    (section,) = parser.trace.steps[0].sections
    assert section.text == events[-1].text + more[0].text


def test_the_clock_is_the_callers(parser: Any, spelling: Any) -> None:
    ids = spelling.ids_of
    parser.feed(ids("<start><step_start>"), now_s=1.5)
    parser.feed(ids(f"{spelling.understanding}{spelling.next_step}"), now_s=2.0)
    assert (parser.trace.steps[0].started_s, parser.trace.steps[0].finished_s) == (1.5, None)
    rest = "<step_verification_start>left<verified><step_verification_end>" + spelling.summary
    parser.feed(ids(f"{rest}<step_end>"), now_s=3.0)
    # Waiting for the decision is no part of the step.
    parser.feed(ids("<end>"), now_s=4.0)
    assert (parser.trace.steps[0].started_s, parser.trace.steps[0].finished_s) == (1.5, 3.0)


def test_own_events_take_part_in_the_numbering(parser: Any, spelling: Any) -> None:
    first = parser.emit(Done, finish_reason="stop")
    started = parser.feed(spelling.ids_of("<start><step_start>"))
    last = parser.emit(
        Intervention, kind="loop", step=1, num_forced_tokens=2, num_context_tokens=9, detail="again"
    )
    assert [first.sequence_number, started[0].sequence_number, last.sequence_number] == [1, 2, 3]


@pytest.mark.parametrize(
    ("opened", "closing", "num_sections"),
    [
        ("<step_start>", "<step_end><end>", 0),
        ("<step_start><step_understanding_start>", "<step_understanding_end><step_end><end>", 1),
        ("<step_start><step_understanding_start>left", "<step_understanding_end><step_end><end>", 1),
        ("<step_start>{understanding}", "<step_end><end>", 1),
    ],
)
def test_a_step_that_was_closed_early_is_interrupted(
    opened: str, closing: str, num_sections: int, parser: Any, spelling: Any
) -> None:
    parser.feed(spelling.ids_of(f"<start>{opened.format(understanding=spelling.understanding)}"))
    events = parser.feed(spelling.ids_of(closing), forced=True, ended_by="max_reasoning_tokens")
    (done,) = [event for event in events if event.type == "step.done"]
    assert (done.interrupted, done.verdict, done.decision) == (True, None, None)
    assert told(events)[-1] == "reasoning.done"
    assert events[-1].ended_by == "max_reasoning_tokens"
    (step,) = parser.trace.steps
    assert (step.interrupted, len(step.sections)) == (True, num_sections)
    assert violations(events) == []
    assert parser.num_forced_tokens == len(spelling.ids_of(closing))


def test_a_cut_summary_is_no_whole_step(parser: Any, spelling: Any) -> None:
    opened = spelling.step().removesuffix("7<step_summary_end><step_end>")
    parser.feed(spelling.ids_of(f"<start>{opened}"))
    parser.feed(spelling.ids_of("<step_summary_end><step_end><end>"), forced=True)
    (step,) = parser.trace.steps
    assert (step.interrupted, step.verdict, len(step.sections)) == (True, "verified", 4)
    assert parser.trace.conclusions() == ()


def test_only_the_end_of_a_step_was_missing(parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of(f"<start>{spelling.step().removesuffix('<step_end>')}"))
    events = parser.feed(spelling.ids_of("<step_end><end>"), forced=True)
    (step,) = parser.trace.steps
    assert (step.interrupted, step.decision, step.decision_forced) == (False, End(), True)
    assert violations(events) == []


def test_a_forced_verdict_is_marked(parser: Any, spelling: Any) -> None:
    opened = f"<start><step_start>{spelling.understanding}{spelling.next_step}<step_verification_start>left"
    parser.feed(spelling.ids_of(opened))
    (verified,) = parser.feed(spelling.ids_of("<refuted>"), forced=True)
    assert (verified.type, verified.verdict, verified.forced) == ("step.verified", "refuted", True)
    events = parser.feed(spelling.ids_of(f"<step_verification_end>{spelling.summary}<step_end>"))
    events += parser.feed(spelling.ids_of("<backtrack>0"), forced=True)
    events += parser.feed(spelling.ids_of("<step_start>"))
    step = parser.trace.steps[0]
    assert (step.verdict_forced, step.decision_forced, step.interrupted) == (True, True, False)
    assert (parser.num_forced_tokens, violations(events)) == (3, [])


def test_what_was_sampled_is_not_marked(parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of(f"<start>{spelling.step('refuted')}<backtrack>0<step_start>"))
    step = parser.trace.steps[0]
    assert (step.verdict_forced, step.decision_forced) == (False, False)


@pytest.mark.parametrize(
    ("text", "interrupted"),
    [
        ("<start><step_start><step_understanding_start>left", True),
        ("<start>{step}", True),
        ("<start>{refuted}<backtrack>", True),
        ("<start>{refuted}<backtrack>0", True),
        ("<start>{step}<proceed>", False),
    ],
)
def test_the_end_of_the_length_interrupts(text: str, interrupted: bool, parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of(text.format(step=spelling.step(), refuted=spelling.step("refuted"))))
    events = parser.close("length")
    trace = parser.trace
    assert trace.steps[-1].interrupted == interrupted
    assert (trace.ended_by, trace.finish_reason, trace.answer) == (None, "length", "")
    assert [event.type for event in events if event.type.startswith("answer")] == []
    assert violations(events) == []
    assert parser.phase == "done"


def test_an_answer_may_be_cut(parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of(f"<start>{spelling.step()}<end>make 22"))
    (done,) = parser.close("length")
    assert (done.type, done.finish_reason, done.text, done.num_tokens) == (
        "answer.done",
        "length",
        parser.trace.answer,
        2,
    )
    assert parser.close("length") == []


def test_no_reasoning_at_all(parser: Any, spelling: Any) -> None:
    events = parser.feed(
        spelling.ids_of("<start><end>"), forced=True, ended_by="max_reasoning_tokens"
    ) + parser.feed(spelling.ids_of("22<eot>"))
    assert told(events) == ["reasoning.done", "answer.delta", "answer.done"]
    assert (events[0].num_steps, events[0].num_reasoning_tokens) == (0, 0)


def test_half_a_character_waits_for_the_rest(parser: Any, spelling: Any) -> None:
    ids = spelling.ids_of("🙂")
    assert len(ids) > 4
    parser.feed(spelling.ids_of("<start><step_start><step_understanding_start>left"))
    said = [parser.feed([token_id]) for token_id in ids]
    assert [len(events) for events in said[-4:]] == [0, 0, 0, 1]
    assert said[-1][0].text == "🙂"


def test_half_a_character_is_said_when_its_section_ends(parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of("<start><step_start><step_understanding_start>left"))
    parser.feed(spelling.ids_of("🙂")[:-1])
    events = parser.feed(spelling.ids_of("<step_understanding_end>"))
    assert told(events) == ["section.delta understanding", "section.done understanding"]
    assert "\ufffd" in events[0].text
    assert events[1].text.endswith(events[0].text)


@pytest.mark.parametrize(
    ("text", "detail", "kept"),
    [
        ("22", "text before the start of reasoning; taken as the answer", None),
        ("<start>22<step_start>", "text outside of a section", "22"),
        ("<start>{step}22<proceed>", "text outside of a section", "22"),
        ("<start><proceed>", "a decision that follows no step", None),
        ("<start><step_summary_start>", "a section outside of a step", None),
        (
            "<start><step_start><step_summary_start>",
            "section summary where section understanding belongs",
            None,
        ),
        (
            "<start><step_start><step_understanding_start><step_understanding_end>",
            "a section without text",
            None,
        ),
        ("<start><step_start><step_understanding_start>left<verified>", "a verdict outside", None),
        ("<start><step_start><step_understanding_end>", "the end of a section that is not open", None),
        ("<start><step_start><step_end>", "a step with sections missing", None),
        ("<start><step_end>", "the end of a step that is not open", None),
        ("<start><step_start><step_start>", "a step started before the last one was decided", None),
        ("<start><step_start><end>", "the end of reasoning inside of a step", None),
        ("<start>{refuted}<proceed>", "a refuted step that is proceeded from", None),
        ("<start>{step}<backtrack>1<step_start>", "a backtrack to no place on the live path", "1"),
        ("<start>{step}<backtrack>left<step_start>", "a backtrack to no place on the live path", "left"),
        ("<start>{step}<backtrack><step_start>", "a backtrack to no place on the live path", None),
        ("<start>{step}<end><proceed>", "a marker outside of the reasoning", None),
        ("<start>{step}<end>22<eot>make<start>", "text behind the end of the turn", "make"),
        ("<start>{step}<end>22<eot><eot>", "the turn ended twice", None),
        ("<start>{step}<end><eot>", "the turn ended without an answer", None),
        ("<start><start>", "reasoning started twice", None),
        ("<start><|im_start|>", "a special token that is no marker of the protocol", None),
    ],
)
def test_a_violation_is_told_and_the_text_is_kept(
    text: str, detail: str, kept: str | None, parser: Any, spelling: Any
) -> None:
    events = parser.feed(spelling.ids_of(text.format(step=spelling.step(), refuted=spelling.step("refuted"))))
    told_of = [event for event in events if event.type == "violation"]
    assert told_of[0].detail.startswith(detail)
    assert parser.num_violations == len(told_of) == parser.trace.num_violations
    if kept is not None:
        assert told_of[0].text.strip() == kept


def test_an_illegal_depth_leaves_the_place_unknown(parser: Any, spelling: Any) -> None:
    text = f"<start>{spelling.step('refuted')}<backtrack>9{spelling.step()}<proceed>{spelling.step()}<end>22<eot>"
    events = parser.feed(spelling.ids_of(text))
    (back,) = [event for event in events if event.type == "backtracked"]
    assert (back.to_depth, back.to_step) == (None, None)
    steps = parser.trace.steps
    assert [(step.depth, step.parent) for step in steps] == [(1, 0), (None, None), (None, 2)]
    assert steps[0].decision == Backtrack(to_depth=None)


def test_a_legal_depth_finds_the_way_again(parser: Any, spelling: Any) -> None:
    lost = f"<start>{spelling.step('refuted')}<backtrack>9"
    text = f"{lost}{spelling.step('refuted')}<backtrack>0{spelling.step()}<end>22<eot>"
    parser.feed(spelling.ids_of(text))
    last = parser.trace.steps[-1]
    assert (last.depth, last.parent) == (1, 0)


def test_text_before_the_reasoning_does_not_spoil_it(parser: Any, spelling: Any) -> None:
    parser.feed(spelling.ids_of(f"make<start>{spelling.step()}<end>22<eot>"))
    trace = parser.trace
    assert (len(trace.steps), trace.num_violations) == (1, 1)
    assert trace.answer.split() == ["make", "22"]
