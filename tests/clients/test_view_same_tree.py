"""The same events are the same tree in the browser, in its pictures, in ours, in a terminal and in a `Trace`."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from steiner.picture.mermaid import mermaid_of
from steiner.picture.svg import svg_of
from steiner.picture.trace_picture import picture_of
from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import trace_of
from steiner.terminal.tree_view import TreeView

from .golden_trees import FOLDER, NAMES, Drawn, steps_of_terminal, tree_of_svg, tree_of_trace


def events_of(name: str) -> list[Event]:
    return [EVENT_ADAPTER.validate_json(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def tree_of_page(view: Any) -> list[Drawn]:
    back = dict(view.returns())
    return [
        Drawn(
            node.node,
            None if node.parent == "unknown" else int(node.parent),
            node.standing,
            node.is_forced,
            back.get(node.node),
            node.is_live,
        )
        for node in view.nodes()
    ]


@pytest.fixture
def opened(view: Any, stage: Any, serve: Any) -> Any:
    def open_file(path: Any, state: str) -> Any:
        view.open(f"{serve(stage.engine(stage.one_step)).url}/view")
        view.open_files(path)
        view.wait_for(state)
        return view

    return open_file


STATES = {"failed": "error", "unknown": "unfinished"}


def test_one_has_forced_verdicts_one_ends_in_an_error_and_one_has_unknown_places() -> None:
    trees = {name: tree_of_trace(trace_of(events_of(name))) for name in NAMES}
    assert any(node.is_forced for node in trees["forced"])
    assert events_of("failed")[-1].type == "error"
    assert [node.node for node in trees["unknown"] if node.parent is None] != [0]
    assert any(node.standing == "interrupted" for node in trees["budget"])


@pytest.mark.parametrize("name", NAMES)
def test_browser_and_both_pictures_agree_with_the_trace(opened: Any, name: str) -> None:
    trace = trace_of(events_of(name))
    expected = tree_of_trace(trace)
    view = opened(FOLDER / f"{name}.jsonl", STATES.get(name, "done"))
    assert tree_of_page(view) == expected
    assert tree_of_svg(view.save("SVG")) == expected
    assert tree_of_svg(svg_of(picture_of(trace)).encode()) == expected
    assert view.save("Mermaid").decode() == mermaid_of(trace)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "unknown"])
def test_the_terminal_agrees_with_the_trace(name: str) -> None:
    events = events_of(name)
    console = Console(file=io.StringIO(), width=200)
    view = TreeView(console, "make 22")
    for event in events:
        view.handle(event)
    trace = trace_of(events)
    assert steps_of_terminal(console.file.getvalue()) == [  # type: ignore[attr-defined]
        (step.id, step.parent, step.verdict, step.verdict_forced) for step in trace.steps
    ]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_browser_saves_is_the_trace(opened: Any, name: str, tmp_path: Any) -> None:
    trace = trace_of(events_of(name))
    view = opened(FOLDER / f"{name}.jsonl", STATES.get(name, "done"))
    saved = view.save("JSON")
    assert Trace.model_validate_json(saved) == trace
    again = tmp_path / "trace.json"
    again.write_bytes(saved)
    view.open_files(again)
    # A trace does not tell of the error that ended it.
    view.wait_for("unfinished" if trace.finish_reason is None else "done")
    assert json.loads(view.save("JSON")) == json.loads(saved)
    assert tree_of_page(view) == tree_of_trace(trace)
