"""`steiner teach` as a person runs it, with this project's own server as the teacher; killed and taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.bag_of_words import save_bag_of_words
from tests.played_teacher import Answer, completion

from steiner.server.engine.scripted_engine import Script, ScriptedEngine
from steiner.training.data.kinds import DAGS, TRACES
from steiner.training.data.shards import read_records
from steiner.training.documents.encode_all import PlainEncoding
from steiner.training.documents.stage_documents import teacher_documents
from steiner.training.teacher.config import TeachError, load_teach_config
from steiner.training.teacher.run import teach

pytestmark = pytest.mark.slow

PLACES = ["well", "barn", "gate", "mill", "pond", "lane"]
QUESTION = {"id": "q1", "question": "The way to the pond?", "answer": "pond"}


@pytest.fixture
def script(stage: Any) -> Callable[..., Script]:
    """A search that goes to these places one after another, and answers with the last."""

    def write(*places: str, holds: bool = False) -> Script:
        roles = ("understanding", "next_step", "verification", "summary")

        def step(place: str) -> str:
            texts = dict.fromkeys(roles, f"to the {place}") | {"next_step": place}
            sections = "".join(
                f"<step_{role}_start>{texts[role]}{'<verified>' * (role == 'verification')}<step_{role}_end>"
                for role in roles
            )
            return f"<step_start>{sections}<step_end>"

        text = f"<start>{'<proceed>'.join(map(step, places))}<end>{places[-1]}<eot>"
        return Script(stage.ids_of(text), holds=holds)

    return write


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """The YAML of a run over one question: two attempts, each cut once."""
    model = save_bag_of_words(tmp_path / "embedding", PLACES)
    (tmp_path / "q.jsonl").write_text(json.dumps(QUESTION) + "\n")

    def write(url: str, **teacher: Any) -> Path:
        fields: dict[str, Any] = {
            "name": "ways",
            "seed": 2,  # cuts attempt 0 behind its first step and attempt 1 behind its second
            "output": str(tmp_path / "run"),
            "questions": {"file": str(tmp_path / "q.jsonl")},
            "teacher": {
                "base_url": url,
                "model": "tiny",
                "max_completion_tokens": 500,
                "steps_from": "reasoning_steps",
                "concurrency": 1,
                **teacher,
            },
            "price": {"per_million_prompt_tokens": 10, "per_million_completion_tokens": 40, "cap": 1},
            "completions": {"attempts": 2, "truncations": 1},
            "prompts": {
                "system": "",
                "hidden": "{question} You are at the {last_step}.",
                "revealed": "{question} You are at the {last_step}; it is the {answer}.",
            },
            "embeddings": {"model": model},
        }
        path = tmp_path / "teach.yaml"
        path.write_text(yaml.safe_dump(fields))
        return path

    return write


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "steiner.cli", "teach", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def run(*arguments: str | Path) -> str:
    code, out, err = finish(start(*arguments))
    assert (code, "Traceback" in err) == (0, False), err
    return out


def journal(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "run" / "journal.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def data(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "run/data").rglob("*.parquet")}


def told(engine: ScriptedEngine, tokenizer: Any) -> list[str]:
    """The prompts that came to the engine, without the turns around them."""
    texts = [tokenizer.decode(list(request.prompt_ids)) for request in engine.requests]
    return [text.split("user\n")[1].split("<|im_end|>")[0] for text in texts]


def ways(script: Callable[..., Script]) -> list[Script]:
    """In the order in which one call at a time asks for them."""
    return [
        script("well", "barn", "mill"),  # attempt 0: wrong
        script("well", "gate", "pond"),  # attempt 1: right
        script("barn", "lane"),  # attempt 0, cut: wrong
        script("pond"),  # attempt 1, cut: right
        script("gate", "pond"),  # attempt 0, cut and revealed: right
    ]


def test_it_says_what_it_costs_and_then_makes_traces_that_training_takes(
    script: Any, serve: Any, stage: Any, written: Any, tokenizer: Any, tmp_path: Path
) -> None:
    served = serve(ScriptedEngine(ways(script)))
    config = written(f"{served.url}/v1")
    planned = run(config, "--plan")
    assert served.engine.requests == []
    assert not (tmp_path / "run").exists()
    row = next(line for line in planned.splitlines() if line.startswith("│ all"))
    assert [cell.strip() for cell in row.split("│")[2:5]] == ["0", "0.0000", "6"]
    assert "cap: 1 USD" in planned

    out = run(config)
    assert "1 questions: 0 without a right answer, 0 without a wrong turn" in out
    assert told(served.engine, tokenizer) == [
        "The way to the pond?",
        "The way to the pond?",
        "The way to the pond? You are at the well.",
        "The way to the pond? You are at the gate.",
        "The way to the pond? You are at the well; it is the pond.",
    ]
    kept = journal(tmp_path)
    assert [line["kind"] for line in kept] == ["attempt", "attempt", "hidden", "hidden", "revealed"]
    assert all(line["completion_tokens"] > 50 and line["prompt_tokens"] > 10 for line in kept)
    spent = sum(10 * line["prompt_tokens"] + 40 * line["completion_tokens"] for line in kept) / 1e6
    assert f"spent in all: {spent:.4f} USD" in out

    [dag] = read_records(tmp_path / "run/data", DAGS)
    names = [json.loads(node["state"])[1] for node in dag["nodes"]]
    edges = {names[i]: {names[end] for end in node["to"]} for i, node in enumerate(dag["nodes"])}
    assert edges["well"] == {"barn", "gate"}
    assert edges["barn"] == {"mill", "lane"}
    alive = {name for name, node in zip(names, dag["nodes"], strict=True) if node["distance"] is not None}
    assert alive == {"", "well", "gate", "pond"}
    traces = list(read_records(tmp_path / "run/data", TRACES))
    assert {
        tuple(step["next_step"] for step in trace["steps"] if step["verdict"] == "refuted")
        for trace in traces
    } > {
        ("barn",),
        ("mill",),
    }
    documents = teacher_documents(
        [tmp_path / "run"], tokenizer, PlainEncoding(tokenizer), Console(file=StringIO())
    )
    assert len(documents) == len(traces)


@pytest.mark.parametrize("kept", [0, 3])
def test_what_was_paid_for_before_a_kill_is_not_paid_for_again(
    script: Any, serve: Any, written: Any, eventually: Any, tmp_path: Path, kept: int
) -> None:
    scripts = ways(script)
    held = Script(scripts[kept].token_ids, holds=True)
    first = serve(ScriptedEngine([*scripts[:kept], held]))
    process = start(written(f"{first.url}/v1"))
    eventually(lambda: len(first.engine.requests) > kept, timeout_s=120)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert len(journal(tmp_path)) == kept
    # What a kill tore off in the middle of a line counts as not there.
    with (tmp_path / "run/journal.jsonl").open("ab") as file:
        file.write(b'{"key": "4f')

    second = serve(ScriptedEngine(scripts[kept:]))
    teach(load_teach_config(written(f"{second.url}/v1")))
    assert len(second.engine.requests) == len(scripts) - kept
    lines = journal(tmp_path)
    assert len({line["key"] for line in lines}) == len(lines) == len(scripts)
    expected = data(tmp_path)

    # The journal is enough: nobody is asked, and the same comes out.
    second.stop()
    teach(load_teach_config(written(f"{second.url}/v1")))
    assert data(tmp_path) == expected
    assert journal(tmp_path) == lines


def test_only_one_process_at_a_time_asks(
    script: Any, serve: Any, written: Any, eventually: Any, tmp_path: Path
) -> None:
    served = serve(ScriptedEngine([Script(script("well").token_ids, holds=True)]))
    config = written(f"{served.url}/v1")
    process = start(config)
    eventually(lambda: len(served.engine.requests) == 1, timeout_s=120)
    with pytest.raises(TeachError, match="another process asks the teacher for the same run"):
        teach(load_teach_config(config))
    process.kill()
    finish(process)
    assert len(served.engine.requests) == 1


def test_an_interrupted_run_waits_for_what_is_under_way_and_asks_nothing_new(
    play_teacher: Any, written: Any, eventually: Any, tmp_path: Path
) -> None:
    release = threading.Event()

    def play(_: dict[str, Any]) -> Answer:
        release.wait(120)
        step = "Understanding: here\nNext step: there\nCheck: fine\nSummary: there"
        return completion(f"Step 1\n{step}\n\nStep 2\n{step}\n\nAnswer: pond")

    played = play_teacher(play)
    process = start(written(played.url, steps_from="content", concurrency=2))
    eventually(lambda: len(played.requests) == 2, timeout_s=120)
    process.send_signal(signal.SIGINT)
    assert process.poll() is None
    release.set()
    code, _, err = finish(process)
    assert code == 1
    assert "Interrupted. What was paid for is kept" in " ".join(err.split())
    assert len(played.requests) == len(journal(tmp_path)) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temprature": 1}, "teacher.temprature: Extra inputs are not permitted"),
        ({"api_key_env": "NO_SUCH_KEY"}, "the variable NO_SUCH_KEY is not set"),
        ({"model": "large"}, "large"),
    ],
)
def test_what_is_known_to_go_wrong_is_told_without_a_stack_trace(
    script: Any, serve: Any, written: Any, change: dict[str, Any], said: str
) -> None:
    served = serve(ScriptedEngine(ways(script)))
    code, _, err = finish(start(written(f"{served.url}/v1", **change)))
    assert code == 1
    assert "steiner: " in err
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert served.engine.requests == []
