"""The short way of writing an event gives the bytes that pydantic gives, whatever the text."""

from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steiner.reasoning.events import AnswerDelta, Done, Event, SectionDelta, StepVerified, Usage
from steiner.reasoning.protocol import SectionRole
from steiner.server.api.event_json import event_json

ROLES = get_args(SectionRole)


@given(number=st.integers(1, 10**9), step=st.integers(1, 10**6), role=st.sampled_from(ROLES), text=st.text())
@example(number=1, step=1, role=ROLES[0], text='"\\/\b\f\n\r\t\x00\x1f\x7f\x85\u2028\u2029\ufeff\U0001f9ed{}')
def test_a_delta_is_as_pydantic_writes_it(number: int, step: int, role: SectionRole, text: str) -> None:
    delta = SectionDelta(sequence_number=number, step=step, role=role, text=text)
    assert event_json(delta) == delta.model_dump_json()


def test_the_short_way_writes_every_field() -> None:
    assert list(SectionDelta.model_fields) == ["sequence_number", "type", "step", "role", "text"]


@pytest.mark.parametrize(
    "event",
    [
        AnswerDelta(sequence_number=1, text='"\n'),
        StepVerified(sequence_number=2, step=1, verdict="refuted", forced=True),
        Usage(
            sequence_number=3,
            prompt_tokens=1,
            completion_tokens=9,
            reasoning_tokens=5,
            answer_tokens=2,
            forced_tokens=0,
        ),
        Done(sequence_number=4, finish_reason="stop"),
    ],
)
def test_other_events_are_as_ever(event: Event) -> None:
    assert event_json(event) == event.model_dump_json()
