"""`steiner ask` against the real API: what it asks for is done and shown, what cannot be is said on one line."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steiner.saved_trace import parse_saved_trace
from steiner.server.intake.answer_grammar import json_grammar

PROMPT = "make 22 from 15 4 11"


def ask(served: Any, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", "ask", PROMPT, "--url", served.url, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_limit_that_ends_the_search_is_noted(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}<proceed>{stage.step()}", "22<eot>"))
    done = ask(served, "--max-reasoning-tokens", "30")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    noted = lines.index("│  │    intervention (budget): max_reasoning_tokens (30) reached")
    assert lines[noted + 1 : noted + 3] == ["│  │    interrupted", "└─ answer         22"]
    assert lines[-1].endswith("forced")


def test_a_repeat_is_shown_as_refuted_by_force(stage: Any, serve: Any) -> None:
    again = stage.step()
    behind = again[again.index("<step_verification_end>") :]
    served = serve(
        stage.engine(
            f"<start>{stage.step('refuted')}<backtrack>0{again}",
            f"{behind}<backtrack>0{stage.step(number=3)}<end>22<eot>",
        )
    )
    lines = ask(served).stdout.splitlines()
    noted = lines.index("│    intervention (loop): step 2 repeats step 1: refuted")
    assert lines[noted - 1] == "│    verification   left 1 ✗ refuted (forced)"
    assert lines[noted + 2 : noted + 4] == ["│    repeats step 1", "│    ↩ back to the problem"]


def test_memory_and_a_schema_reach_the_engine(stage: Any, serve: Any, tmp_path: Path) -> None:
    schema = tmp_path / "result.json"
    schema.write_text('{"type": "integer"}', encoding="utf-8")
    text = stage.with_backtrack
    folded = text.index("<step_start>", text.index("<backtrack>")) + len("<step_start>")
    ended = text.index("<end>") + len("<end>")
    served = serve(stage.engine(text[:ended], text[folded:ended], "22<eot>"))
    done = ask(served, "--memory", "--schema", str(schema))
    assert (done.returncode, done.stderr) == (0, "")
    assert "intervention (memory): " in done.stdout
    assert (
        "  intervention (answer): the answer is held to schema result\n└─ answer         22\n" in done.stdout
    )
    assert served.engine.requests[-1].grammar.endswith(json_grammar({"type": "integer"}))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--verifier", "chess"), "chess"),
        (("--max-steps", "0"), "max_reasoning_tokens"),
        (("--max-reasoning-tokens", "3"), "max_reasoning_tokens (3)"),
        (("--effort", "extreme"), "reasoning_effort"),
    ],
)
def test_a_refusal_is_one_line(stage: Any, serve: Any, options: tuple[str, str], named: str) -> None:
    done = ask(serve(stage.engine(stage.one_step)), *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("steiner: ")
    assert named in line


def test_interrupting_cancels_on_the_server_and_keeps_the_trace(
    stage: Any, serve: Any, tmp_path: Path, eventually: Any
) -> None:
    held = stage.engine(f"<start>{stage.step()}<proceed><step_start>", holds=True)
    served = serve(held)
    saved = tmp_path / "trace.json"
    # What starts in the background, as a whole test run may, ignores the signal that a terminal would send.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "steiner.cli"]
    command += ["ask", PROMPT, "--url", served.url, "--json"]
    with subprocess.Popen([*command, "--save", str(saved)], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        for line in asking.stdout:
            if json.loads(line)["type"] == "step.started" and json.loads(line)["step"] == 2:
                asking.send_signal(signal.SIGINT)
        assert asking.wait(timeout=30) == 130
    eventually(lambda: held.aborted)
    trace = parse_saved_trace(saved.read_bytes())
    assert [step.verdict for step in trace.steps] == ["verified", None]
    assert trace.problem == PROMPT
    assert trace.finish_reason is None


def test_on_a_terminal_the_tree_is_redrawn_and_stays_folded(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    own, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, "-m", "steiner.cli", "ask", PROMPT, "--url", served.url]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as asking:
        os.close(its)
        shown = b""
        # Linux says EIO when the other side has closed a terminal (tty_ioctl(4)).
        try:
            while data := os.read(own, 65536):
                shown += data
        except OSError:
            pass
        assert asking.wait(timeout=30) == 0
    os.close(own)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode()).replace("\r", "")
    final = text[text.rindex(PROMPT) :].splitlines()
    assert final[1] == "├─ step 1  ✓ verified"
    assert "│  ├─ ✗ step 2  left 2  ↩ back to step 1" in final
    assert "│  ├─ step 3  ✓ verified" in final
    assert final[-2] == "└─ answer  make 22"
    assert final[-1].startswith("tokens: ")
    assert b"\x1b[" in shown
