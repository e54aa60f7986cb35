"""The three forms of a saved trace, and what is said of files that have none of them."""

from pathlib import Path

import pytest

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.steps import Proceed, Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.events_of_trace import events_of
from steiner.saved_trace import SavedTraceError, parse_saved_trace, read_saved_trace

SECTION = Section(role="next_step", name="next_step", text="naïve\u2028試", num_tokens=2)
TRACE = Trace(protocol="", steps=(Step(id=1, depth=1, parent=0, sections=(SECTION,), decision=Proceed()),))


def test_the_three_forms_are_told_apart(tmp_path: Path) -> None:
    events = events_of(TRACE)
    lines = "\n".join(event.model_dump_json() for event in events)
    stream = "".join(f"id: 1\ndata: {event.model_dump_json()}\n\n" for event in events)
    path = tmp_path / "saved"
    for text in (TRACE.model_dump_json(), TRACE.model_dump_json(indent=2), lines, stream):
        for mark in ("", "\N{BYTE ORDER MARK}"):
            path.write_text(mark + text, encoding="utf-8")
            assert read_saved_trace(str(path)) == TRACE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty; expected a trace"),
        ("# Notes", "no trace: Invalid JSON: expected value at line 1 column 1; expected a trace"),
        ('{"object": "list"}', "no trace: protocol: Field required; expected a trace"),
        ("[1]", "no trace: Input should be an object (given [1]); expected a trace"),
        (
            '{"protocol": "steiner", "steps": [{"id": 1, "depth": 1, "parent": 0, "verdict": "maybe"}]}',
            "no trace: steps.0.verdict: Input should be 'verified' or 'refuted' (given 'maybe'); correct it",
        ),
        (
            '{"protocol": "s", "steps": [{"id": 2, "depth": 1, "parent": 0}, {"id": 2, "depth": 1, "parent": 0}]}',
            "no trace: steps.id must rise from 1 on, given [2, 2]",
        ),
        ('{"type": "cancelled"}\n{"type": "canceled"}', "line 2 is no event: Input tag 'canceled'"),
        ('{"type": "cancelled"}\nnonsense', "line 2 is no event: Invalid JSON"),
        ('{"type": "step.done"}', "line 1 is no event: step.done.step: Field required; correct it"),
        (
            '{"type": "section.delta", "step": 3, "role": "summary", "text": "so", "sequence_number": 9}',
            "event 9 (section.delta): step 3 never began; the beginning of the stream is missing",
        ),
        ("event: done\ndata: {}\n\n", "event ? is no event"),
        ("event: done\n", "a recorded stream without one whole event"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused_with_what_is_wrong_and_what_to_do(content: str, said: str) -> None:
    with pytest.raises(SteinerError) as raised:
        parse_saved_trace(content.encode())
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(SavedTraceError, match=r"picture\.png: byte 0 is not UTF-8; expected a trace"):
        read_saved_trace(str(path))
