"""`steiner eval --arms` against the real API, and against a server that knows no more than chat completions."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

GSM8K = [
    {"question": "What is 11 + 11?", "answer": "11 + 11 = <<11+11=22>>22\n#### 22"},
    {"question": "What is 500 + 523?", "answer": "It is <<500+523=1023>>1023.\n#### 1,023"},
]
BBH = {"canary": "x", "examples": [{"input": "Is it?\nOptions:\n- Yes\n- No", "target": "No"}]}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GSM8K))
    (tmp_path / "navigate.json").write_text(json.dumps(BBH))
    (tmp_path / "prompt.txt").write_text("use 3 1 2\n")
    named = (f"gsm8k={tmp_path / 'test.jsonl'}", f"bbh={tmp_path / 'navigate.json'}")
    return ["--benchmark", named[0], "--benchmark", named[1], "--prompt", str(tmp_path / "prompt.txt")]


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", "eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_three_arms_on_the_same_questions(stage: Any, serve: Any, files: list[str], tmp_path: Path) -> None:
    reasoned = f"<start>{stage.step()}<end>22<eot>"
    # One request at a time, so the scripts are played in the order of the questions.
    engine = stage.engine(*["22<eot>"] * 3, *["1<eot>"] * 3, *[reasoned] * 3)
    served = serve(engine)
    output = tmp_path / "out"
    arguments = [
        *("--url", served.url, "--arms", "free,prompted,constrained", "--concurrency", "1"),
        *("--max-tokens", "1000", "--output", str(output)),
    ]
    done = evaluate(*arguments, *files)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = json.loads((output / "report.json").read_text())
    arms = report["arms"]
    assert [arms[name]["accuracy"] for name in arms] == [0.3333, 0.0, 0.3333]
    assert arms["free"]["accuracy_low"] < 0.3333 < arms["free"]["accuracy_high"]
    assert arms["free"]["families"]["gsm8k"]["accuracy"] == 0.5
    assert arms["free"]["families"]["bbh/navigate"]["num_problems"] == 1
    assert arms["constrained"]["mean_completion_tokens"] == len(stage.ids_of(reasoned))
    assert arms["constrained"]["mean_reasoning_tokens"] == 19
    assert arms["free"].get("mean_reasoning_tokens", 0) == 0
    assert report["paired"]["constrained - prompted"]["only_first"] == 1
    assert report["paired"]["constrained - free"]["difference"] == 0
    for shown in ("free", "prompted", "constrained", "95 %", "bbh/navigate"):
        assert shown in done.stdout
    prompts = [stage.tokenizer.decode(request.prompt_ids) for request in served.engine.requests[:9]]
    assert ["use 3 1 2" in prompt for prompt in prompts] == [False] * 3 + [True] * 3 + [False] * 3
    conditions = [
        json.loads(line)["condition"] for line in (output / "outcomes.jsonl").read_text().splitlines()
    ]
    assert conditions == ["free"] * 3 + ["prompted"] * 3 + ["constrained"] * 3


class Plain(http.server.BaseHTTPRequestHandler):
    """Chat completions and a list of models, as any server has them."""

    bodies: list[dict[str, Any]]
    owner = "else"

    def _answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": self.owner}]})

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": "It is so.\n**Answer: 22**"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        completion = {"id": "c", "object": "chat.completion", "created": 0, "model": "m"}
        self._answer({**completion, "choices": [choice], "usage": usage})

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(params=["else"])
def plain(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []

    class Handler(Plain):
        bodies = asked
        owner = request.param

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}/v1", asked
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_any_server_is_asked_two_of_them(
    plain: tuple[str, list[dict[str, Any]]], files: list[str], tmp_path: Path
) -> None:
    url, asked = plain
    done = evaluate("--url", url, "--arms", "free,prompted", "--output", str(tmp_path / "out"), *files)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["arms"]["free"]["families"]["gsm8k"]["accuracy"] == 0.5
    assert report["arms"]["free"]["mean_completion_tokens"] == 7
    assert len(asked) == 6
    assert all("reasoning_effort" not in body for body in asked)
    refused = evaluate("--url", url, "--arms", "constrained", "--output", str(tmp_path / "no"), *files)
    assert refused.returncode == 1
    assert "needs a server of Steiner" in refused.stderr
    assert len(asked) == 6


@pytest.mark.parametrize("plain", ["steiner"], indirect=True)
def test_our_server_is_told_when_to_reason_and_how_much(
    plain: tuple[str, list[dict[str, Any]]], files: list[str], tmp_path: Path
) -> None:
    url, asked = plain
    arguments = ["--max-tokens", "400", "--output", str(tmp_path / "out"), "--concurrency", "1"]
    done = evaluate("--url", url, "--arms", "free,constrained", *arguments, *files)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    told = [(body.get("reasoning_effort"), body.get("reasoning"), body["max_tokens"]) for body in asked]
    # A quarter is left for the answer.
    assert told == [("none", None, 400)] * 3 + [(None, {"max_reasoning_tokens": 300}, 400)] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arms", "free,forced"], "name some of free,prompted,constrained"),
        (["--arms", "free"], "add --benchmark gsm8k=FILE"),
        (["--arms", "free", "--benchmark", "mmlu=x"], "write gsm8k=test.jsonl"),
        (["--arms", "free", "--benchmark", "gsm8k=missing.jsonl"], "missing.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments: list[str], said: str, new_port: int) -> None:
    done = evaluate("--url", f"http://127.0.0.1:{new_port}", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
