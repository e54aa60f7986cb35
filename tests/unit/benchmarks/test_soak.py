"""The soak: a small one over a scripted engine finds nothing, and its judges see what is wrong."""

import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steiner.client.event_stream import Message

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = ("processes", "soak_ledger", "soak_streams", "soak_scenarios", "soak_responses", "soak")


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """benchmarks/ holds scripts beside each other and no package: imported as they import each other."""
    known = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in SCRIPTS}
    sys.path.remove(str(FOLDER))
    for name in set(SCRIPTS) - known:
        sys.modules.pop(name, None)


def test_a_small_soak_breaks_nothing() -> None:
    command: list[str | Path] = [
        sys.executable,
        FOLDER / "soak.py",
        "--scripted",
        "--generations",
        "200",
        "--seed",
        "7",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "seed 7" in done.stdout
    assert "steps_resume" in done.stdout


def message(number: int, kind: str, **fields: Any) -> Message:
    return Message(kind, json.dumps({"type": kind, "sequence_number": number} | fields), str(number))


USAGE = {"completion_tokens": 9, "reasoning_tokens": 5}
BEGUN = message(1, "reasoning.started", id="rsn_1")


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([BEGUN, message(3, "usage", **USAGE)], "event 3 where 2 comes next"),
        ([BEGUN, BEGUN], "event 1 where 2 comes next"),
        ([BEGUN, message(2, "done")], "no usage before done"),
        ([BEGUN, message(2, "usage", **USAGE), message(3, "done"), message(4, "done")], "done behind done"),
        ([BEGUN, message(2, "usage", **USAGE)], "no ending after 2 messages"),
    ],
)
def test_a_step_stream_has_each_number_once_and_one_ending(
    scripts: dict[str, ModuleType], messages: list[Message], complaint: str
) -> None:
    reader = scripts["soak_streams"].StepReader()

    def read() -> None:
        for one in messages:
            reader.take(one)
        reader.require_end()

    with pytest.raises(scripts["soak_ledger"].Broken, match=complaint):
        read()


def chunk(finish_reason: str | None, usage: dict[str, Any] | None = None, num_choices: int = 1) -> Message:
    choices: list[dict[str, Any]] = [{"delta": {}, "finish_reason": finish_reason}] * num_choices
    return Message("message", json.dumps({"id": "chatcmpl-1", "choices": choices, "usage": usage}), "")


CHAT_USAGE = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 5}}
CHAT_ENDING = [chunk("stop"), chunk(None, CHAT_USAGE, num_choices=0), Message("message", "[DONE]", "")]


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([CHAT_ENDING[0], CHAT_ENDING[2]], "without finish_reason and usage"),
        (CHAT_ENDING[1:], "without finish_reason and usage"),
        ([chunk("stop"), chunk("stop")], "a choice behind finish_reason"),
        ([*CHAT_ENDING, chunk(None)], r"a chunk behind \[DONE\]"),
        (CHAT_ENDING[:2], "no ending"),
    ],
)
def test_chat_chunks_have_one_ending(
    scripts: dict[str, ModuleType], messages: list[Message], complaint: str
) -> None:
    reader = scripts["soak_streams"].ChunkReader()

    def read() -> None:
        for one in messages:
            reader.take(one)
        reader.require_end()

    with pytest.raises(scripts["soak_ledger"].Broken, match=complaint):
        read()


def test_readers_that_see_the_whole_are_content(scripts: dict[str, ModuleType]) -> None:
    steps, chat = scripts["soak_streams"].StepReader(), scripts["soak_streams"].ChunkReader()
    for one in [BEGUN, message(2, "usage", **USAGE), message(3, "done")]:
        steps.take(one)
    for one in CHAT_ENDING:
        chat.take(one)
    for reader in (steps, chat):
        reader.require_end()
        assert (reader.outcome, reader.completion_tokens, reader.reasoning_tokens) == ("done", 9, 5)


def sample(scripts: dict[str, ModuleType], **fields: Any) -> Any:
    quiet = {
        "busy": 0,
        "generations": Counter({("chat", "done"): 2}),
        "reasoning_tokens": 10,
        "answer_tokens": 4,
        "num_durations": 2,
        "num_drafted": 8,
        "num_accepted": 5,
        "num_decode_steps": 11,
        "num_decoded": 16,
        "num_tasks": 3,
        "num_files": 15,
        "rss_mib": 500.0,
        "engine_rss_mib": 900.0,
    }
    return scripts["soak_ledger"].Sample(**quiet | fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"num_tasks": 4}, "tasks of the event loop: 3, at the end 4"),
        ({"num_files": 16}, "open files: 15, at the end 16"),
        ({"rss_mib": 600.0}, "memory of the front end: 500 MiB, at the end 600 MiB"),
        ({"engine_rss_mib": 1000.0}, "memory of the engine: 900 MiB, at the end 1000 MiB"),
    ],
)
def test_what_grew_is_a_leak(scripts: dict[str, ModuleType], fields: dict[str, Any], complaint: str) -> None:
    level = [sample(scripts)] * 9
    assert scripts["soak"].leaks([*level, sample(scripts)]) == []
    assert scripts["soak"].leaks([*level, sample(scripts, **fields)]) == [complaint]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"generations": Counter({("chat", "done"): 1}), "num_durations": 1}, "chat: 1 generations counted"),
        ({"generations": Counter({("chat", "error"): 2})}, "chat: 0 counted as done, 2 seen"),
        ({"reasoning_tokens": 9}, "9 reasoning tokens counted, usage has 10"),
        ({"answer_tokens": 11}, "11 answer tokens counted, usage leaves 4 to 10"),
        ({"num_durations": 3}, "3 durations for 2 generations"),
        ({"num_drafted": 4}, "5 tokens accepted of 4 drafted"),
        ({"num_decoded": 17}, "17 tokens decoded in 11 steps, 5 accepted"),
    ],
)
def test_metrics_that_contradict_the_clients_are_told(
    scripts: dict[str, ModuleType], fields: dict[str, Any], complaint: str
) -> None:
    ledger = scripts["soak_ledger"].Ledger()
    ledger.started["chat"] = 2
    for _ in range(2):
        ledger.ended("chat", "done", completion_tokens=10, reasoning_tokens=5)
    nothing = sample(scripts, generations=Counter(), reasoning_tokens=0, answer_tokens=0, num_durations=0)
    assert ledger.check_counts(nothing, sample(scripts)) == []
    assert complaint in "\n".join(ledger.check_counts(nothing, sample(scripts, **fields)))
