"""The published event types: one tag each, numbered from 1, JSON and back."""

import json
from typing import get_args

import pytest
from pydantic import ValidationError

from steiner.reasoning.events import EVENT_ADAPTER, Event, Failed, StepStarted, Violation
from steiner.reasoning.parser.event_log import EventLog

PUBLISHED = {
    "reasoning.started",
    "step.started",
    "section.started",
    "section.delta",
    "section.done",
    "step.verified",
    "step.done",
    "backtracked",
    "intervention",
    "violation",
    "reasoning.done",
    "answer.delta",
    "tool_call.started",
    "tool_call.delta",
    "tool_call.done",
    "answer.done",
    "usage",
    "done",
    "error",
    "cancelled",
}


def test_every_published_type_has_one_class() -> None:
    union, _ = get_args(Event)
    assert {kind.model_fields["type"].default for kind in get_args(union)} == PUBLISHED
    assert len(get_args(union)) == len(PUBLISHED)


def test_json_names_the_type() -> None:
    event = Failed(sequence_number=3, message="the engine stopped", code="engine_failed")
    assert json.loads(event.model_dump_json())["type"] == "error"
    assert EVENT_ADAPTER.validate_json(event.model_dump_json()) == event


def test_unknown_types_and_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"section\.finished"):
        EVENT_ADAPTER.validate_python({"type": "section.finished"})
    with pytest.raises(ValidationError, match="reason"):
        EVENT_ADAPTER.validate_python({"type": "cancelled", "sequence_number": 1, "reason": "x"})


def test_a_log_numbers_all_and_gives_each_once() -> None:
    log = EventLog()
    log.say(StepStarted, step=1, depth=1, parent=0)
    own = log.number(Failed, message="m", code="c")
    log.violate("a marker outside of the reasoning", 7)
    taken = log.take()
    assert [event.sequence_number for event in (*taken, own)] == [1, 3, 2]
    assert isinstance(taken[1], Violation)
    assert (log.take(), log.num_violations) == ([], 1)
