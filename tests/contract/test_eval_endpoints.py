"""`steiner eval` against the real API: by the step stream, and by chat completions as against any other server."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steiner.training.evals.chat_endpoint import ChatEndpoint, EndpointError

pytestmark = pytest.mark.slow

SOLVED = "<end>( 15 + 11 ) - 4<eot>"


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", "eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_families_are_asked_through_the_step_stream(stage: Any, serve: Any, tmp_path: Path) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    done = evaluate("--url", served.url, "--per-family", "2", "--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["command"] == "steiner eval --per-family 2"
    assert (report["all"]["accuracy"], report["all"]["backtracked"]) == (0.0, 1.0)
    assert report["all"]["mean_steps"] == 3


def test_and_through_chat_completions_where_steps_are_not_told(
    stage: Any, serve: Any, tmp_path: Path
) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    done = evaluate("--url", served.url, "--chat", "--per-family", "2", "--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Not measured: steps" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert "mean_steps" not in report["all"]
    assert report["all"]["mean_completion_tokens"] == len(stage.ids_of(stage.with_backtrack))
    assert report["all"]["mean_reasoning_tokens"] > 0


async def test_a_chat_endpoint_tells_answer_usage_and_end(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(f"<start>{stage.step()}{SOLVED}"))
    endpoint = ChatEndpoint(served.url + "/v1", system=lambda prompt: f"about {prompt}")
    assert endpoint.model == "tiny"
    said = [event async for event in endpoint.stream_async("make 22", temperature=0.0, top_k=3)]
    assert [event.type for event in said] == ["answer.done", "usage", "done"]
    assert said[0].text == "( 15 + 11 ) - 4"
    [request] = served.engine.requests
    assert stage.tokenizer.decode(request.prompt_ids).count("make 22") == 2


async def test_a_refusal_is_the_servers_own(stage: Any, serve: Any) -> None:
    endpoint = ChatEndpoint(serve(stage.engine(stage.one_step)).url)
    with pytest.raises(EndpointError, match="temperature"):
        [event async for event in endpoint.stream_async("make 22", temperature=7.0)]


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, new_port: int) -> None:
    url = f"http://127.0.0.1:{new_port}"
    done = evaluate("--url", url, "--chat", "--per-family", "1", "--output", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"steiner: {url}/v1 lists no models")
    assert len(done.stderr.splitlines()) == 1


def test_a_killed_evaluation_goes_on_where_it_was(
    stage: Any, serve: Any, eventually: Any, tmp_path: Path
) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    arguments = ["--url", served.url, "--per-family", "60", "--only-held-out", "--output", str(tmp_path)]
    command = [sys.executable, "-m", "steiner.cli", "eval", *arguments, "--concurrency", "1"]

    def num_kept() -> int:
        return sum(len(path.read_text().splitlines()) for path in tmp_path.glob("answers-*.jsonl"))

    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: num_kept() >= 20, timeout_s=60)
        process.kill()
    kept = num_kept()
    assert 20 <= kept < 180
    # Of another command nothing is taken up.
    done = evaluate("--url", served.url, "--per-family", "1", "--only-held-out", "--output", str(tmp_path))
    assert "are there" not in done.stdout
    asked_before = len(served.engine.requests)
    done = evaluate(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{kept} answers are there from a run that did not end." in done.stdout
    assert "held-out: 180 of 180" in done.stdout
    assert len(served.engine.requests) - asked_before == 180 - kept
    assert json.loads((tmp_path / "report.json").read_text())["all"]["num_problems"] == 180
    assert not list(tmp_path.glob("answers-*"))


def test_an_error_says_where_the_answers_are(stage: Any, serve: Any, eventually: Any, tmp_path: Path) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    arguments = ["--url", served.url, "--per-family", "60", "--output", str(tmp_path), "--concurrency", "1"]
    command = [sys.executable, "-m", "steiner.cli", "eval", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: len(served.engine.requests) >= 20, timeout_s=60)
        served.stop()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "answers are kept in" in errors
    assert "the same command goes on from there" in errors


def test_runs_are_compared_by_family(stage: Any, serve: Any, tmp_path: Path) -> None:
    served = serve(stage.engine(stage.one_step))
    for name in ("a", "b"):
        done = evaluate("--url", served.url, "--per-family", "2", "--output", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    compared = evaluate("--compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert (compared.returncode, compared.stderr) == (0, "")
    assert "exact McNemar" in compared.stdout
    missing = evaluate("--compare", str(tmp_path / "a"), str(tmp_path / "c"))
    assert missing.returncode == 1
    assert "steiner eval --output" in missing.stderr
