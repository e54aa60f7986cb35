"""Every event and every trace goes through JSON and back as it was, and is what the published schemas say."""

import json
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from steiner.reasoning.answer import TokenLogprob
from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.policy import Policy
from steiner.reasoning.schemas import event_schema, trace_schema
from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.trace import Trace

EVENT_TYPES = get_args(get_args(Event)[0])
EVENTS = Draft202012Validator(event_schema())
TRACES = Draft202012Validator(trace_schema())
POLICIES = st.builds(
    Policy,
    max_steps=st.integers(1, 10**6),
    max_backtracks=st.integers(0, 10**6),
    max_reasoning_tokens=st.none() | st.just(0) | st.integers(100, 10**6),
    section_tokens=st.just({}) | st.just({"summary": 7}),
    allow_change_of_mind=st.booleans(),
    constrained=st.booleans(),
)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that an event or a trace has somewhere."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Policy:
        return POLICIES
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    if origin is Annotated:
        return values_of(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    return {
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(max_size=20),
        NoneType: st.none(),
    }[annotation]


def models(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {name: values_of(field.annotation) for name, field in kind.model_fields.items()}
    if issubclass(kind, TokenLogprob):
        fields["logprob"] = st.floats(max_value=0, allow_nan=False, allow_infinity=False)
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


@given(models(Trace))
def test_a_trace_goes_through_json_without_loss(trace: Trace) -> None:
    text = trace.model_dump_json()
    assert Trace.model_validate_json(text) == trace
    TRACES.validate(json.loads(text))


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.model_fields["type"].default)
def test_an_event_goes_through_json_without_loss(kind: type[BaseModel]) -> None:
    @given(models(kind))
    def goes_through(event: Event) -> None:
        text = event.model_dump_json()
        back = EVENT_ADAPTER.validate_json(text)
        assert type(back) is kind
        assert back == event
        EVENTS.validate(json.loads(text))

    goes_through()


def test_what_is_generated_has_all_that_a_step_may_have() -> None:
    """Guards the two tests above: a strategy that never draws a case would let it break."""
    seen: set[object] = set()

    @given(models(Step))
    def look(step: Step) -> None:
        seen.update({type(step.decision), step.verdict, ("parent", step.parent is None)})
        seen.update({("forced", step.verdict_forced), ("interrupted", step.interrupted)})
        seen.update({"beyond ASCII"} if any(not part.text.isascii() for part in step.sections) else set())

    look()
    assert seen >= {Proceed, Backtrack, End, NoneType, "verified", "refuted", None, "beyond ASCII"}
    assert seen >= {(name, value) for name in ("parent", "forced", "interrupted") for value in (True, False)}
