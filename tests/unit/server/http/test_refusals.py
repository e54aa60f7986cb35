"""Hints: only fields of the object that has the unknown one, at every level of every body."""

import difflib
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from steiner.server.api.chat.request import ChatRequest, ReasoningRequest
from steiner.server.api.responses.queries import InputItemsQuery, RetrieveQuery
from steiner.server.api.responses.request import ResponseRequest
from steiner.server.http.object_fields import fields_at
from steiner.server.http.refusals import refusal

USER = {"role": "user", "content": "a"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SECTION = {"role": "summary", "name": "summary", "text": "a", "num_tokens": 1}
STEP = {"id": 1, "depth": 1, "parent": 0, "sections": [SECTION], "verdict": "verified"}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}}
CHOICE = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
}
CHAT: dict[str, Any] = {
    "messages": [
        USER | {"content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "a"}], "reasoning_steps": [STEP]},
        {"role": "assistant", "tool_calls": [CALL]},
    ],
    "temperature": 1,
    "reasoning": {"max_steps": 3},
    "tools": [TOOL],
    "tool_choice": CHOICE,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
}
STREAMED = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
FLAT = {"type": "function", "name": "f", "parameters": {}}
RESPONSE: dict[str, Any] = {
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "a"}],
            "content": [{"type": "reasoning_text", "text": "a"}],
            "step": STEP,
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a"}]},
    ],
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "a", "schema": {}}},
    "tools": [FLAT],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "stream": True,
    "stream_options": {"include_obfuscation": False},
}
BODIES = [(ChatRequest, STREAMED), (ReasoningRequest, CHAT), (ResponseRequest, RESPONSE)]
FREE = {"parameters", "schema"}
"""Objects of the caller's own."""


def is_kept(model: type[BaseModel], body: Any, path: tuple[str | int, ...]) -> bool:
    """Whether an unknown field of an object is looked at; those of what is sent back are left out."""
    try:
        model.model_validate(with_field(body, path, "q"))
    except ValidationError:
        return True
    return False


def objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where objects of the API are in a body."""
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            if name not in FREE:
                yield from objects(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, (*path, index))


def with_field(value: Any, path: tuple[str | int, ...], name: str) -> Any:
    """A copy with one field more in the object at a place."""
    if not path:
        return value | {name: 1}
    key, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = with_field(value[key], tuple(rest), name)
    return copy


def error_of(model: type[BaseModel], body: Any) -> tuple[str, str | None, Any]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    errors = refused.value.errors()
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    assert unknown == errors, "the body itself is right"
    return *refusal(errors, model), errors[0]["loc"]


ALL_OBJECTS: list[tuple[Any, Any, tuple[str | int, ...]]] = [
    (model, body, path) for model, body in BODIES for path in objects(body)
]
EVERY_OBJECT = [
    pytest.param(model, body, path, id=f"{model.__name__}-{'.'.join(map(str, path))}")
    for model, body, path in ALL_OBJECTS
    if is_kept(model, body, path)
]


def test_the_bodies_have_every_kind_of_object() -> None:
    assert len(ALL_OBJECTS) > 50
    assert len(EVERY_OBJECT) > 25


def test_unknown_fields_are_left_out_of_what_is_sent_back_alone() -> None:
    """Client libraries add notes to answers that they received; nothing else may have a field that is not known."""
    left_out = {path for model, body, path in ALL_OBJECTS if not is_kept(model, body, path)}
    assert left_out
    for path in left_out:
        place, index, *_ = path
        body = CHAT if place == "messages" else RESPONSE
        whole = body[str(place)][int(index)]
        assert whole.get("role") in ("assistant", "tool") or whole.get("type") in (
            "reasoning",
            "function_call",
            "function_call_output",
        )


@pytest.mark.parametrize(("model", "body", "path"), EVERY_OBJECT)
def test_a_hint_is_a_field_of_that_very_object(model: Any, body: Any, path: tuple[str | int, ...]) -> None:
    _, _, loc = error_of(model, with_field(body, path, "q"))
    own = fields_at(model, loc[:-1])
    given = body
    for key in path:
        given = given[key]
    assert set(given) <= own
    everything = set().union(
        *(
            fields_at(model, error_of(model, with_field(body, other, "q"))[2][:-1])
            for other in objects(body)
            if is_kept(model, body, other)
        )
    )
    for name in sorted(everything):
        misspelled = f"{name}q"
        message, param, _ = error_of(model, with_field(body, path, misspelled))
        where = ".".join(map(str, (*path, misspelled)))
        assert param == where
        near = difflib.get_close_matches(misspelled, sorted(own), n=1)
        expected = f"unknown field {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        assert message == expected
        if name in own:
            assert f"did you mean {name!r}" in message


@pytest.mark.parametrize(
    ("model", "body", "words", "without"),
    [
        # Of the top, in a message; of a message, at the top.
        (ChatRequest, {"messages": [USER | {"temperatur": 1}]}, "'messages.0.temperatur'", "did you mean"),
        (ChatRequest, {"messages": [USER], "tool_call_idd": 1}, "'tool_call_idd'", "tool_call_id'"),
        (
            ChatRequest,
            {"messages": [USER], "max_steps": 1},
            "unknown field 'max_steps'",
            "did you mean 'max_steps'",
        ),
        (
            ChatRequest,
            {"messages": [USER], "reasoning": {"temprature": 1}},
            "reasoning.temprature",
            "'temperature'",
        ),
        (ResponseRequest, {"input": "a", "temprature": 1}, "did you mean 'temperature'?", "messages"),
        (ResponseRequest, {"input": "a", "messagess": 1}, "unknown field 'messagess'", "'messages'"),
        (RetrieveQuery, {"strem": True}, "did you mean 'stream'?", "temperature"),
        (RetrieveQuery, {"temperature": 1}, "unknown field 'temperature'", "did you mean"),
        (InputItemsQuery, {"limits": 1}, "did you mean 'limit'?", "stream"),
    ],
)
def test_examples(model: Any, body: Any, words: str, without: str) -> None:
    message, _, _ = error_of(model, body)
    assert words in message
    assert without not in message


def test_a_name_that_looks_like_a_branch_is_named() -> None:
    _, param, _ = error_of(ChatRequest, {"messages": [USER | {"(text)": 1}]})
    assert param == "messages.0.(text)"
