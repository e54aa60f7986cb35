"""The command line as a user types it, against a scripted server."""

import http.server
import json
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytestmark = pytest.mark.slow

EVENTS: list[dict[str, Any]] = [
    {"type": "reasoning.started", "id": "rsn_1", "model": "m", "protocol": "steiner", "policy": {}},
    {"type": "step.started", "step": 1, "depth": 1, "parent": 0},
    {"type": "answer.delta", "text": "42"},
    {"type": "answer.done", "text": "42", "num_tokens": 1, "finish_reason": "stop"},
    {
        "type": "usage", "prompt_tokens": 5, "completion_tokens": 9, "reasoning_tokens": 7,
        "answer_tokens": 2, "forced_tokens": 1,
    },
]  # fmt: skip
DONE = {"type": "done", "finish_reason": "stop"}
FAILED = {"type": "error", "message": "the engine stopped", "code": "engine_dead"}


class Script(http.server.BaseHTTPRequestHandler):
    """Streams EVENTS and an ending; refuses the prompt "bad"; keeps the bodies it was sent."""

    ending = DONE
    bodies: ClassVar[list[dict[str, object]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        if body["messages"][0]["content"] == "bad":
            self.send_response(400)
            self.end_headers()
            self.wfile.write(json.dumps({"error": {"message": "messages:\n too bad"}}).encode())
            return
        self.send_response(200)
        self.end_headers()
        for number, event in enumerate([*EVENTS, self.ending], start=1):
            data = json.dumps({**event, "sequence_number": number})
            self.wfile.write(f"id: {number}\nevent: {event['type']}\ndata: {data}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Script]]]:
    class Handler(Script):
        bodies: ClassVar[list[dict[str, object]]] = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}", Handler
        listener.shutdown()
        thread.join()


def steiner(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_ask_draws_the_tree_and_the_counts(server: tuple[str, type[Script]]) -> None:
    url, handler = server
    done = steiner("ask", "what?", "--url", url, "--effort", "low", "--max-steps", "4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "what?\n├─ step 1\n└─ answer         42\ntokens: 5 prompt, 7 reasoning, 2 answer, 1 of them forced\n"
    )
    assert handler.bodies == [
        {
            "messages": [{"role": "user", "content": "what?"}],
            "reasoning_effort": "low",
            "reasoning": {"max_steps": 4},
        }
    ]


def test_ask_asks_for_what_a_request_may_have(server: tuple[str, type[Script]], tmp_path: Path) -> None:
    url, handler = server
    schema = tmp_path / "the result.v1.json"
    schema.write_text('{"type": "object"}', encoding="utf-8")
    given = ("--verifier", "auto", "--memory", "--max-reasoning-tokens", "90", "--schema", str(schema))
    assert steiner("ask", "what?", "--url", url, *given).returncode == 0
    assert steiner("ask", "what?", "--url", url, "--no-memory").returncode == 0
    first, second = handler.bodies
    assert first["reasoning"] == {"verifier": "auto", "memory": True, "max_reasoning_tokens": 90}
    assert first["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "the_result_v1", "schema": {"type": "object"}},
    }
    assert second["reasoning"] == {"memory": False}
    assert "response_format" not in second


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not valid JSON: Expecting property name"),
        ("[]", "must hold a JSON object"),
        (None, "No such file or directory"),
    ],
)
def test_a_schema_that_is_none_is_refused_here(text: str | None, problem: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    if text is not None:
        schema.write_text(text, encoding="utf-8")
    done = steiner("ask", "what?", "--url", "http://127.0.0.1:9", "--schema", str(schema))
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    assert str(schema) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ask_reads_the_question_from_standard_input(server: tuple[str, type[Script]]) -> None:
    url, handler = server
    assert steiner("ask", "-", "--url", url, stdin="from a pipe").returncode == 0
    assert handler.bodies[0]["messages"] == [{"role": "user", "content": "from a pipe"}]


def test_ask_saves_what_it_showed_as_a_picture(server: tuple[str, type[Script]], tmp_path: Path) -> None:
    picture = tmp_path / "tree.svg"
    assert steiner("ask", "what?", "--url", server[0], "--svg", str(picture)).returncode == 0
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "42" in drawn
    assert "answer" in drawn


def test_ask_can_print_events_as_json_lines(server: tuple[str, type[Script]]) -> None:
    done = steiner("ask", "what?", "--url", server[0], "--json")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in printed] == [event["type"] for event in [*EVENTS, DONE]]


def test_ask_fails_where_the_generation_failed(server: tuple[str, type[Script]]) -> None:
    url, handler = server
    handler.ending = FAILED
    done = steiner("ask", "what?", "--url", url)
    assert done.returncode == 1
    assert "error: the engine stopped" in done.stdout


def test_a_refusal_is_one_line(server: tuple[str, type[Script]]) -> None:
    done = steiner("ask", "bad", "--url", server[0])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "steiner: messages: too bad\n")


def test_a_server_that_is_not_there_is_one_line() -> None:
    done = steiner("ask", "what?", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("steiner: No generation was started at http://127.0.0.1:9: ConnectError")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_family_names_the_known_ones() -> None:
    done = steiner("demo", "--family", "chess")
    assert done.returncode == 1
    assert "'chess'" in done.stderr
    assert "countdown" in done.stderr


def test_help_lists_the_commands_without_loading_anything_heavy() -> None:
    program = (
        "import sys\n"
        "sys.argv = ['steiner', '--help']\n"
        "from steiner.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'vllm', 'transformers', 'fastapi', 'numpy', 'matplotlib', 'openai'}\n"
        "print('LOADED', *(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *text, loaded = done.stdout.splitlines()
    assert loaded.split() == ["LOADED"]
    assert all(
        any(f" {name} " in line for line in text)
        for name in ("serve", "ask", "trace", "demo", "train", "eval", "data")
    )


def test_a_wrong_setting_of_serve_ends_before_anything_loads() -> None:
    done = steiner("serve", "--port", "70000")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--port" in done.stderr


def test_the_version_is_that_of_the_package() -> None:
    pyproject = Path(__file__).resolve().parents[3] / "pyproject.toml"
    done = steiner("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"steiner {version('steiner')}\n", "")
    assert version("steiner") == tomllib.loads(pyproject.read_text())["project"]["version"]
