"""The drawing of a whole stream, letter by letter."""

import io
import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from steiner.reasoning.events import EVENT_ADAPTER
from steiner.terminal.tree_view import TreeView

PROMPT = "make 22 from 15 4 11"
POLICY: dict[str, Any] = {}


def draw(
    events: Iterable[dict[str, Any]], *, width: int = 200, terminal: bool = False, encoding: str = "utf-8"
) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=file, width=width, force_terminal=terminal, no_color=True, legacy_windows=False)
    view = TreeView(console, PROMPT)
    for number, event in enumerate(events, start=1):
        view.handle(EVENT_ADAPTER.validate_python(event | {"sequence_number": number}))
    return (
        re.sub(r"\x1b\[[\d;]*m", "", raw.getvalue().decode(encoding))
        if terminal
        else raw.getvalue().decode(encoding)
    )


def started() -> dict[str, Any]:
    return {"type": "reasoning.started", "id": "rsn_1", "model": "m", "protocol": "steiner", "policy": POLICY}


def section(step: int, role: str, text: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"step": step, "role": role}
    return [
        {"type": "section.started", **place, "name": role},
        {"type": "section.delta", **place, "text": text[:3]},
        {"type": "section.delta", **place, "text": text[3:]},
        *more,
        {"type": "section.done", **place, "text": text, "num_tokens": 1},
    ]


def step(
    number: int, depth: int, parent: int, verdict: str, decision: dict[str, Any], forced: bool = False
) -> list[dict[str, Any]]:
    verified = {"type": "step.verified", "step": number, "verdict": verdict, "forced": forced}
    return [
        {"type": "step.started", "step": number, "depth": depth, "parent": parent},
        *section(number, "understanding", f"see {number}"),
        *section(number, "verification", f"check {number}", verified),
        {
            "type": "step.done", "step": number, "verdict": verdict, "decision": decision,
            "interrupted": False, "num_tokens": 9,
        },
    ]  # fmt: skip


def backtracked(from_step: int, to_depth: int, to_step: int) -> dict[str, Any]:
    return {"type": "backtracked", "from_step": from_step, "to_depth": to_depth, "to_step": to_step}


def search() -> list[dict[str, Any]]:
    """Step 1 is kept; its child 2 is refuted; 3 hangs under 1 again; 4 goes back to the problem."""
    return [
        started(),
        *step(1, 1, 0, "verified", {"type": "proceed"}),
        *step(2, 2, 1, "refuted", {"type": "backtrack", "to_depth": 1}),
        backtracked(2, 1, 1),
        *step(3, 2, 1, "refuted", {"type": "backtrack", "to_depth": 0}, forced=True),
        backtracked(3, 0, 0),
        *step(4, 1, 0, "verified", {"type": "end"}),
        {
            "type": "reasoning.done", "ended_by": "model", "num_steps": 4, "num_backtracks": 2,
            "num_reasoning_tokens": 40,
        },
        {"type": "answer.delta", "text": "15 + "},
        {"type": "answer.delta", "text": "( 11 - 4 )"},
        {"type": "answer.done", "text": "15 + ( 11 - 4 )", "num_tokens": 7, "finish_reason": "stop"},
        {"type": "done", "finish_reason": "stop"},
    ]  # fmt: skip


def test_branches_hang_under_the_step_they_returned_to() -> None:
    assert draw(search()) == (
        "make 22 from 15 4 11\n"
        "├─ step 1\n"
        "│    understanding  see 1\n"
        "│    verification   check 1 ✓ verified\n"
        "│  ├─ step 2\n"
        "│  │    understanding  see 2\n"
        "│  │    verification   check 2 ✗ refuted\n"
        "│  │    ↩ back to step 1\n"
        "│  ├─ step 3\n"
        "│  │    understanding  see 3\n"
        "│  │    verification   check 3 ✗ refuted (forced)\n"
        "│  │    ↩ back to the problem\n"
        "├─ step 4\n"
        "│    understanding  see 4\n"
        "│    verification   check 4 ✓ verified\n"
        "└─ answer         15 + ( 11 - 4 )\n"
    )


def test_a_terminal_without_line_drawing_gets_ascii() -> None:
    drawn = draw(search(), encoding="ascii")
    assert "|  +- step 2\n" in drawn
    assert "|  |    verification   check 2 x refuted\n" in drawn
    assert "|  |    <- back to step 1\n" in drawn
    assert "`- answer         15 + ( 11 - 4 )\n" in drawn


def test_a_terminal_wraps_between_words_under_the_text() -> None:
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        *section(1, "summary", "one two three four"),
    ]
    assert draw(events, width=30, terminal=True).splitlines()[2:] == [
        "│    summary        one two",
        "│                   three four",
    ]


def test_a_pipe_gets_whole_lines() -> None:
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        *section(1, "summary", "word " * 60 + "end"),
    ]
    assert draw(events, width=30).splitlines()[2].endswith("word end")


def test_text_cannot_steer_the_terminal() -> None:
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        *section(1, "summary", "red \x1b[31m\x07 \x9b2J"),
        {"type": "violation", "detail": "odd \x1b[2J", "token_id": None, "text": ""},
    ]
    drawn = draw(events)
    assert not {"\x1b", "\x07", "\x9b"} & set(drawn)
    assert "red \ufffd[31m\ufffd \ufffd2J\n" in drawn


def test_line_breaks_keep_their_column() -> None:
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        *section(1, "summary", "first\nsecond"),
    ]
    assert draw(events).splitlines()[2:] == ["│    summary        first", "│                   second"]


def test_what_went_wrong_is_said_where_it_happened() -> None:
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        {"type": "section.started", "step": 1, "role": "summary", "name": "summary"},
        {"type": "intervention", "kind": "budget", "step": 1, "num_forced_tokens": 3,
         "num_context_tokens": 40, "detail": "closed"},
        {
            "type": "step.done", "step": 1, "verdict": None, "decision": None,
            "interrupted": True, "num_tokens": 5,
        },
        {"type": "error", "message": "the engine stopped", "code": "engine_dead"},
    ]  # fmt: skip
    assert draw(events).splitlines()[2:] == [
        "│    summary",
        "│    intervention (budget): closed",
        "│    interrupted",
        "│    error: the engine stopped",
    ]


def intervention(kind: str, step: int | None, detail: str) -> dict[str, Any]:
    return {
        "type": "intervention", "kind": kind, "step": step, "num_forced_tokens": 0,
        "num_context_tokens": 40, "detail": detail,
    }  # fmt: skip


def test_a_forced_verdict_stands_behind_the_text_it_judges_and_its_reason_below() -> None:
    forced = [
        intervention("loop", 1, "step 1 repeats step 7: refuted"),
        {"type": "step.verified", "step": 1, "verdict": "refuted", "forced": True},
    ]
    events = [
        started(),
        *step(1, 1, 0, "refuted", {"type": "end"})[:1],
        *section(1, "verification", "check", *forced),
        {
            "type": "step.done", "step": 1, "verdict": "refuted", "repeats": 7,
            "decision": {"type": "backtrack", "to_depth": 0}, "interrupted": False, "num_tokens": 5,
        },
    ]  # fmt: skip
    assert draw(events).splitlines()[2:] == [
        "│    verification   check ✗ refuted (forced)",
        "│    intervention (loop): step 1 repeats step 7: refuted",
        "│    repeats step 7",
    ]


def test_a_note_does_not_break_the_text_that_it_comes_into() -> None:
    text: list[dict[str, Any]] = [
        {"type": "violation", "detail": "odd", "token_id": None, "text": ""},
        {"type": "section.delta", "step": 1, "role": "summary", "text": " and on"},
    ]
    events = [
        started(),
        *step(1, 1, 0, "verified", {"type": "end"})[:1],
        *section(1, "summary", "so far", *text),
        *section(1, "summary", "cut off")[:-1],
        intervention("budget", 1, "full"),
        {"type": "cancelled"},
    ]
    assert draw(events).splitlines()[2:] == [
        "│    summary        so far and on",
        "│    protocol violation: odd",
        "│    summary        cut off",
        "│    intervention (budget): full",
        "│    cancelled",
    ]


def test_memory_and_the_form_of_the_answer_are_noted_where_they_act() -> None:
    events = [
        started(),
        {"type": "step.started", "step": 2, "depth": 2, "parent": 1},
        intervention("memory", 2, "23 tokens of branches abandoned at depth 1 folded"),
        *section(2, "understanding", "see 2"),
        {
            "type": "reasoning.done", "ended_by": "model", "num_steps": 2, "num_backtracks": 1,
            "num_reasoning_tokens": 40,
        },
        intervention("answer", 2, "the answer is held to schema result"),
        {"type": "answer.delta", "text": "{}"},
        {"type": "answer.done", "text": "{}", "num_tokens": 1, "finish_reason": "stop"},
    ]  # fmt: skip
    assert draw(events).splitlines()[1:] == [
        "│  ├─ step 2",
        "│  │    intervention (memory): 23 tokens of branches abandoned at depth 1 folded",
        "│  │    understanding  see 2",
        "  intervention (answer): the answer is held to schema result",
        "└─ answer         {}",
    ]


def test_a_protocol_without_depths_is_a_flat_list() -> None:
    events = [
        started(),
        {"type": "step.started", "step": 1, "depth": None, "parent": None},
        {"type": "backtracked", "from_step": 1, "to_depth": None, "to_step": None},
        {"type": "step.started", "step": 2, "depth": None, "parent": None},
    ]
    assert draw(events).splitlines()[1:] == ["├─ step 1", "│    ↩ back to an earlier step", "├─ step 2"]
