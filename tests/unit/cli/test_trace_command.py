"""`steiner trace` as a user types it: what it prints and draws, and what it says of files that are no traces."""

import subprocess
import sys
from pathlib import Path

import pytest

from steiner.reasoning.steps import Backtrack, End, Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.events_of_trace import events_of


def section(text: str) -> Section:
    return Section(role="verification", name="verification", text=text, num_tokens=3)


TRACE = Trace(
    id="rsn_1",
    protocol="steiner",
    steps=(
        Step(
            id=1, depth=1, parent=0, sections=(section("no"),), verdict="refuted", decision=Backtrack(to_depth=0),
            finished_s=1.0,
        ),
        Step(id=2, depth=1, parent=0, sections=(section("yes"),), verdict="verified", decision=End(), finished_s=2.0),
    ),
    answer="42",
    ended_by="model",
    finish_reason="stop",
    num_prompt_tokens=5,
    num_reasoning_tokens=40,
    num_answer_tokens=2,
)  # fmt: skip
TREE = """\
├─ step 1
│    verification   no ✗ refuted
│    ↩ back to the problem
├─ step 2
│    verification   yes ✓ verified
└─ answer         42
"""


def trace(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", "trace", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "trace.json"
    path.write_text(TRACE.model_dump_json(indent=2), encoding="utf-8")
    return path


def test_a_saved_trace_is_shown_as_the_live_view_ends(saved: Path) -> None:
    done = trace(str(saved))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"problem\n{TREE}tokens: 5 prompt, 40 reasoning, 2 answer\n"


def test_json_lines_come_through_a_pipe() -> None:
    lines = "\n".join(event.model_dump_json() for event in events_of(TRACE))
    done = trace("-", "--problem", "what?", stdin=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"what?\n{TREE}")


def test_a_stream_from_another_tool_comes_through_a_pipe() -> None:
    stream = "".join(f"data: {event.model_dump_json()}\r\n\r\n" for event in events_of(TRACE))
    assert TREE in trace("-", stdin=": ping\r\n\r\n" + stream).stdout


@pytest.mark.parametrize(("name", "start"), [("tree.svg", b"<svg"), ("tree.PNG", b"\x89PNG")])
def test_the_ending_of_the_name_chooses_the_format(saved: Path, name: str, start: bytes) -> None:
    picture = saved.parent / name
    assert trace(str(saved), "--image", str(picture)).returncode == 0
    assert picture.read_bytes().startswith(start)


def test_every_form_is_written_at_once(saved: Path) -> None:
    files = {kind: saved.parent / f"out-{kind}" for kind in ("svg", "png", "mermaid", "html")}
    done = trace(str(saved), *(part for kind, file in files.items() for part in (f"--{kind}", str(file))))
    assert (done.returncode, done.stderr) == (0, "")
    starts = {"svg": b"<svg", "png": b"\x89PNG", "mermaid": b"flowchart LR\n", "html": b"<!doctype html>"}
    for kind, start in starts.items():
        assert files[kind].read_bytes().startswith(start), kind


def test_the_problem_is_the_traces_own_unless_another_is_given(saved: Path) -> None:
    known = saved.parent / "known.json"
    known.write_text(TRACE.model_copy(update={"problem": "what is it?"}).model_dump_json())
    assert trace(str(known)).stdout.startswith("what is it?\n")
    assert trace(str(known), "--problem", "what?").stdout.startswith("what?\n")


def test_a_bad_file_is_one_line_that_says_what_and_what_to_do() -> None:
    done = trace("-", stdin='{"protocol": "steiner", "steps": [{"id": 1, "depth": 1, "parent": "up"}]}')
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "steiner: standard input: no trace: steps.0.parent: Input should be a valid integer, unable to parse string "
        "as an integer (given 'up'); correct it, or save it again\n"
    )


def test_a_file_that_is_not_there() -> None:
    done = trace("no-such-file")
    assert (done.returncode, done.stderr) == (
        2,
        "steiner: cannot read no-such-file: No such file or directory\n",
    )


def test_a_picture_that_cannot_be(saved: Path) -> None:
    done = trace(str(saved), "--image", "tree.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "steiner: cannot draw tree.gif: its name must end in .svg or .png\n"
    done = trace(str(saved), "--image", str(saved.parent / "none" / "tree.svg"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"steiner: cannot use {saved.parent / 'none'}")
    assert len(done.stderr.splitlines()) == 1
