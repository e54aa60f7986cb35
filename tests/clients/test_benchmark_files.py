"""`steiner eval --benchmark` through lm-evaluation-harness, on made-up files in the published formats, offline."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steiner.training.evals.outcome_files import read_outcomes

from .published_benchmarks import NUM_QUESTIONS, write_all


class Expert(http.server.BaseHTTPRequestHandler):
    """Knows every answer but those of case 1."""

    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": "expert", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": self._answer(body["messages"][-1]["content"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._say(
            {"id": "x", "object": "chat.completion", "created": 1, "model": "expert", "choices": [choice]}
        )

    def _answer(self, question: str) -> str:
        if half := re.search(r"half of \$(\d+)\$", question):
            return rf"Some $2$ and $3$ first. So \boxed{{\frac{{{7 if half[1] == '1' else half[1]}}}{{2}}}}."
        sign = "wrong" if "in case 1?" in question else "right"
        if choice := re.search(rf"^\((\w)\) {sign}", question, re.MULTILINE):
            return f"Not (E). The answer is ({choice[1]})."
        letter = re.search(rf"^(\w)\. {sign}", question, re.MULTILINE)
        assert letter is not None, question
        return f"Let me see. Thus the answer is ({letter[1]})."

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def expert() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Expert) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()
        thread.join()


def evaluate(url: str, benchmarks: list[str], output: Path, *options: str) -> dict[str, Any]:
    given = [argument for benchmark in benchmarks for argument in ("--benchmark", benchmark)]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "steiner.cli",
        "eval",
        "--url",
        url,
        *given,
        *options,
        "--output",
        output,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    return report


def test_who_knows_all_but_one_is_marked_so(expert: str, tmp_path: Path) -> None:
    report = evaluate(expert, write_all(tmp_path), tmp_path / "out")
    assert list(report["benchmarks"]) == ["gpqa-diamond", "mmlu-pro", "math-500"]
    for name, scored in report["benchmarks"].items():
        assert scored["num_problems"] == NUM_QUESTIONS, name
        assert scored["accuracy"] == 1 - 1 / NUM_QUESTIONS, name
        assert scored["accuracy_low"] < scored["accuracy"] < scored["accuracy_high"]
        assert sum(category["num_problems"] for category in scored["categories"].values()) == NUM_QUESTIONS
        assert len(scored["categories"]) == 2
    outcomes = read_outcomes(tmp_path / "out")
    assert len({(outcome.family, outcome.prompt) for outcome in outcomes}) == 3 * NUM_QUESTIONS


def test_each_seed_is_a_run_with_its_own_order_of_choices(expert: str, tmp_path: Path) -> None:
    gpqa = write_all(tmp_path)[:1]
    report = evaluate(
        expert, gpqa, tmp_path / "out", "--sampling-seeds", "1,2", "--temperature", "1", "--limit", "4"
    )
    scored = report["benchmarks"]["gpqa-diamond"]
    assert (scored["num_problems"], scored["num_answers"]) == (4, 8)
    assert set(scored["seeds"]) == {"1", "2"}
    outcomes = read_outcomes(tmp_path / "out")
    answers = [[o.answer for o in outcomes if o.sampling_seed == seed] for seed in (1, 2)]
    assert answers[0] != answers[1]
    assert all(outcome.right for outcome in outcomes if "case 1" not in outcome.prompt)


@pytest.mark.e2e
@pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)
def test_the_real_server_answers_every_question(server: Any, tmp_path: Path) -> None:
    report = evaluate(server.url, write_all(tmp_path), tmp_path / "out", "--max-tokens", "300")
    for scored in report["benchmarks"].values():
        assert scored["num_problems"] == NUM_QUESTIONS
        assert 0 <= scored["accuracy"] <= 1
    # It was taught three kinds of problems and knows nothing else: what is seen here is that each was asked and read.
    assert all(isinstance(outcome.answer, str) for outcome in read_outcomes(tmp_path / "out"))
