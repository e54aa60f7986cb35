"""The tree as plain text."""

from typing import Any

from steiner.reasoning.steps import Backtrack, End, Proceed, Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.text_tree import draw_tree


def step(step_id: int, parent: int | None, decision: Any, verdict: Any, text: str, **fields: Any) -> Step:
    section = Section(role="summary", name="summary", text=text, num_tokens=3)
    values = {"sections": (section,), "decision": decision, "verdict": verdict, **fields}
    return Step(id=step_id, parent=parent, depth=None, **values)


def test_a_search() -> None:
    trace = Trace(
        protocol="steiner",
        steps=(
            step(1, 0, Proceed(), "verified", "15 and 11 make 4"),
            step(2, 1, Backtrack(to_depth=1), "refuted", "4 + 4 is 8"),
            step(3, 1, Backtrack(to_depth=0), "refuted", "4 + 4 is 8", verdict_forced=True, repeats=2),
            step(4, 0, Proceed(), "verified", "15 and 7 are open"),
            step(5, 4, None, None, "15 + 7", interrupted=True),
        ),
        answer="15 + 7",
        ended_by="max_reasoning_tokens",
        num_reasoning_tokens=63,
    )
    assert draw_tree(trace).splitlines() == [
        "problem",
        "+- 1 + 15 and 11 make 4",
        "|  +- 2 x 4 + 4 is 8 (back to depth 1)",
        "|  `- 3 x by force 4 + 4 is 8 (repeats step 2) (back to the problem)",
        "`- 4 + 15 and 7 are open",
        "   `- 5 ? 15 + 7 (interrupted)",
        "answer: 15 + 7 (ended by max_reasoning_tokens, 63 reasoning tokens)",
    ]


def test_nothing_yet() -> None:
    assert draw_tree(Trace(protocol="steiner")).splitlines() == [
        "problem",
        "answer: none (not ended, 0 reasoning tokens)",
    ]


def test_steps_whose_parent_is_unknown_stand_apart() -> None:
    trace = Trace(
        protocol="steiner-preview",
        steps=(
            step(1, 0, Backtrack(to_depth=None), None, "a"),
            step(2, None, Proceed(), None, "b"),
            step(3, 2, End(), None, "c"),
        ),
    )
    assert draw_tree(trace).splitlines()[:-1] == [
        "problem",
        "`- 1 ? a (back to an unknown place)",
        "unknown place",
        "`- 2 ? b",
        "   `- 3 ? c",
    ]


def test_long_texts_are_cut_and_lines_joined() -> None:
    trace = Trace(
        protocol="steiner", steps=(step(1, 0, End(), "verified", "one\ntwo  three"),), answer="x" * 99
    )
    lines = draw_tree(trace, max_text=10).splitlines()
    assert lines[1] == "`- 1 + one two..."
    assert lines[2].startswith("answer: xxxxxxx... (")


def test_a_path_deeper_than_pythons_stack() -> None:
    steps = tuple(step(number, number - 1, Proceed(), "verified", "on") for number in range(1, 3001))
    assert len(draw_tree(Trace(protocol="steiner", steps=steps)).splitlines()) == 3002
