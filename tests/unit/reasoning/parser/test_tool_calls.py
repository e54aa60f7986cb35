"""Calls of tools are read off an answer, whatever the chunks it comes in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.answer import ToolCall
from steiner.reasoning.parser.tool_calls import (
    AnswerPiece,
    CallArguments,
    CallDone,
    CallStarted,
    PlainText,
    ToolCallReader,
    call_text,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["</tool_call>", '"}\\', "{["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.tuples(
        st.from_regex(r"\A[a-zA-Z0-9_-]{1,20}\Z"), st.dictionaries(st.text(max_size=8), JSON, max_size=3)
    ),
    max_size=3,
)
TEXTS = st.text(max_size=30).filter(lambda text: "<tool_call>" not in text)


def read(chunks: Iterable[str], *, cut_off: bool = False) -> list[AnswerPiece]:
    numbers = count(1)
    reader = ToolCallReader(lambda: f"call_{next(numbers)}")
    pieces = [piece for chunk in chunks for piece in reader.feed(chunk)]
    return pieces + reader.flush(cut_off=cut_off)


def joined(pieces: list[AnswerPiece]) -> list[Any]:
    """Text and arguments in one piece each."""
    whole: list[Any] = []
    for piece in pieces:
        if whole and isinstance(piece, PlainText | CallArguments) and type(piece) is type(whole[-1]):
            whole[-1] = type(piece)(whole[-1].text + piece.text)
        else:
            whole.append(piece)
    return whole


def chunked(text: str, cuts: list[int]) -> list[str]:
    ends = sorted(cut % (len(text) + 1) for cut in cuts)
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(text=TEXTS, calls=CALLS, cuts=st.lists(st.integers(0, 10**6), max_size=40))
def test_calls_are_read_as_they_were_written(text: str, calls: list[Any], cuts: list[int]) -> None:
    written = "\n".join([text, *(call_text(name, arguments) for name, arguments in calls)])
    pieces = read(chunked(written, cuts))
    whole = [piece.call for piece in pieces if isinstance(piece, CallDone)]
    assert [(call.name, json.loads(call.arguments)) for call in whole] == calls
    said = "".join(piece.text for piece in pieces if isinstance(piece, PlainText))
    assert said == (text.rstrip() if calls else f"{text}")
    assert joined(pieces) == joined(read([written]))


@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 10**6), max_size=20))
def test_text_without_calls_is_all_there(text: str, cuts: list[int]) -> None:
    assert joined(read(chunked(text, cuts))) == ([PlainText(text)] if text else [])


def test_arguments_come_as_they_are_generated() -> None:
    reader = ToolCallReader(lambda: "call_1")
    assert reader.feed('so\n<tool_call>\n{"name": "f", "argu') == [PlainText("so")]
    assert reader.feed('ments": {"a"') == [CallStarted("call_1", "f"), CallArguments('{"a"')]
    assert reader.feed(': "}') == [CallArguments(': "}')]
    assert reader.feed('"}') == [CallArguments('"}')]
    done = CallDone(ToolCall(id="call_1", name="f", arguments='{"a": "}"}'))
    assert reader.feed("}\n</tool_call>") == [done]
    assert reader.flush(cut_off=False) == []


WHOLE = call_text("f", {"a": [1, "x"]})


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_half_a_call_is_never_a_whole_one_and_never_text(length: int) -> None:
    pieces = read([f"so {WHOLE}\n{WHOLE[:length]}"], cut_off=True)
    assert sum(isinstance(piece, CallDone) for piece in pieces) == 1
    assert [piece.text for piece in pieces if isinstance(piece, PlainText)] == ["so"]


@pytest.mark.parametrize("text", ["a <tool_call> b", "<tool_call>\n{", "<tool_call>" * 30, "a <tool", "<"])
def test_what_only_begins_like_a_call_is_text(text: str) -> None:
    assert joined(read(text)) == [PlainText(text)]


def test_ids_differ() -> None:
    reader = ToolCallReader()
    started = [piece for piece in reader.feed(f"{WHOLE}\n{WHOLE}") if isinstance(piece, CallStarted)]
    assert len({piece.id for piece in started}) == 2
    assert all(piece.id.startswith("call_") for piece in started)
