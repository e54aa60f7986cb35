"""What a newcomer sees: the demo runs, and what it tells them to paste works as printed."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steiner.cli.demo import curl_line, openai_snippet

pytestmark = pytest.mark.e2e
PROMPT = "make 22 from 15 4 11"
CHECKED = "The exact checker of countdown accepts the answer."


def steiner(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def shell(command: str) -> str:
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=120, check=True
    ).stdout


def test_the_demo_shows_a_tree_an_answer_and_what_the_checker_says(tmp_path: Path) -> None:
    done = steiner("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(re.fullmatch(r"make \d+ from \d+ \d+ \d+", line) for line in lines)
    assert "├─ step 1" in lines
    assert any(line.startswith("└─ answer") for line in lines)
    assert any(line.startswith("tokens: ") for line in lines)
    assert CHECKED in lines
    assert "steiner serve" in done.stdout


def test_the_curl_line_works_as_printed(server: Any, program: Callable[[str], str]) -> None:
    program("curl")
    stream = shell(curl_line(server.url, server.model, PROMPT))
    names = [
        line.removeprefix("event: ").strip() for line in stream.splitlines() if line.startswith("event: ")
    ]
    assert (names[0], names[-1]) == ("reasoning.started", "done")
    # Random weights fill their sections to the limit, and two of them the context.
    assert ("section.done" if server.model == "nano" else "step.verified") in names


def test_the_openai_snippet_works_as_printed(server: Any) -> None:
    assert shell(openai_snippet(sys.executable, server.url, server.model, PROMPT)).strip()


def test_ask_talks_to_a_real_server(server: Any, tmp_path: Path) -> None:
    limits = ("--max-steps", "2", "--temperature", "0")
    drawn = steiner("ask", PROMPT, "--url", server.url, *limits, cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.startswith(f"{PROMPT}\n├─ step 1\n")
    lines = steiner("ask", PROMPT, "--url", server.url, *limits, "--json", cwd=tmp_path).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["sequence_number"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "done"
