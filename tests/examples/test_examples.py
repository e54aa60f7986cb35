"""Every program of examples/, on the shipped weights behind a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import pytest
from nbclient import NotebookClient

from steiner.reasoning.verifiers import find_verifier

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh", ".ipynb"))
MAX_LINES = 40


def run(name: str, url: str) -> list[str]:
    """Lines that the program prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        env=os.environ | {"STEINER_URL": url},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_chat_shows_steps_and_answer(server: Any) -> None:
    lines = run("chat.py", server.url)
    assert lines[0] == "step 1 below 0: refuted"
    assert "answer: ( 15 + 11 ) - 4" in lines
    assert re.fullmatch(r"reasoning tokens: [1-9]\d+", lines[-1])


def test_typed_steps_are_told_as_they_come(server: Any) -> None:
    lines = run("typed_steps.py", server.url)
    assert "step 1, below 0" in lines
    assert "<- back to step 0" in "\n".join(lines)
    assert sum(line.endswith("[understanding]") for line in lines) >= 3
    assert "answer: ( 15 + 11 ) - 4" in lines


def test_a_stream_is_resumed_without_a_gap(server: Any) -> None:
    left, read, ended = run("resume.py", server.url)
    assert re.fullmatch(r"left rsn_\w+ after event 10", left)
    assert re.fullmatch(r"read events 11 to \d+: done", read)
    assert ended.endswith("answer: ( 15 + 11 ) - 4")


def test_a_tool_is_called_within_its_schema(server: Any) -> None:
    lines = run("tools.py", server.url)
    assert re.fullmatch(r"get_weather\((Oslo|Bern|Cairo)\)", lines[0])
    assert lines[1].startswith("answer:")


def test_an_answer_is_json(server: Any) -> None:
    lines = run("json_answer.py", server.url)
    assert re.fullmatch(r"[1-9]\d* steps of reasoning, then:", lines[0])
    assert re.fullmatch(r"solvable=(True|False) kind='(countdown|routes|knights)'", lines[-1])


def test_an_endpoint_is_judged(server: Any) -> None:
    lines = run("evaluate.py", server.url)
    assert lines[-1] == "5 of 5 right"


def test_the_notebook_draws_the_tree(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEINER_URL", server.url)
    notebook = nbformat.read(EXAMPLES / "tree.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    *_, drawn, steps = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    picture = ElementTree.fromstring(drawn[0].data["image/svg+xml"])
    assert "Rome Bern Quito" in "".join(picture.itertext())
    assert "verified" in steps[0].text


def test_the_documented_calls_run(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for page in ("README.md", "docs/guide/call.md"):
        [program] = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
        exec(compile(program.replace("http://127.0.0.1:8000", server.url), page, "exec"), {})
        lines = capsys.readouterr().out.splitlines()
        # The checkpoint's own temperature is above 0, so a search may go another way.
        assert find_verifier("auto").check_answer("make 22 from 15 4 11", lines[0])
        assert len(lines) > 1
        assert all(re.fullmatch(r"[1-9]\d* \d+ (verified|refuted)", line) for line in lines[1:])


def test_there_are_eight() -> None:
    assert len(PROGRAMS) == 8


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_each_is_short_and_listed(path: Path) -> None:
    assert f"[{path.name}]({path.name})" in (EXAMPLES / "README.md").read_text()
    if path.suffix == ".ipynb":
        return
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#!")]
    assert len(lines) <= MAX_LINES
    assert re.match(r"# .+\. Run: .+", lines[0])
