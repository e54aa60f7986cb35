"""lm-evaluation-harness against a real server, with the task of docs/clients.md on held-out problems."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steiner.training.problems.held_out import held_out_problems

from .documented import blocks, for_server

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]
NUM_PROBLEMS = 8


def test_a_documented_task_runs_on_held_out_problems(server: Any, tmp_path: Path) -> None:
    problems = held_out_problems("countdown", [3], NUM_PROBLEMS, seed=4)
    lines = [json.dumps({"prompt": problem.prompt, "answer": ""}) for problem in problems]
    (tmp_path / "problems.jsonl").write_text("\n".join(lines) + "\n")
    [task] = blocks("lm-evaluation-harness", "yaml")
    (tmp_path / "countdown.yaml").write_text(task)
    [checker] = blocks("lm-evaluation-harness", "python")
    (tmp_path / "check.py").write_text(checker)
    [command] = blocks("lm-evaluation-harness", "bash")
    command = for_server(command, server.url, server.model).replace(
        "lm_eval ", f"{sys.executable} -m lm_eval ", 1
    )
    done = subprocess.run(
        ["bash", "-c", f"{command.rstrip()} --output_path results --log_samples"],
        cwd=tmp_path,
        env=os.environ
        | {
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "cache"),
            "OPENAI_API_KEY": "none",
        },
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + server.tail()
    [report] = (tmp_path / "results").rglob("results_*.json")
    score = json.loads(report.read_text())["results"]["countdown"]["exact_match,none"]
    # The weights solve nearly all of them; an answer cut off or a prompt mangled would solve none.
    [samples] = (tmp_path / "results").rglob("samples_*.jsonl")
    assert score >= 0.75, samples.read_text()
