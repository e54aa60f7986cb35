"""What the server says is what the schemas say; what is saved of it, in each form, is the trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from steiner.client.event_stream import EventStreamDecoder
from steiner.reasoning.schemas import event_schema, trace_schema
from steiner.reasoning.trace import Trace
from steiner.saved_trace import parse_saved_trace

PROMPT = "make 22 from 15 4 11"
POLICIES: list[dict[str, Any]] = [{}, {"max_reasoning_tokens": 47}, {"max_reasoning_tokens": 0}]


def steiner(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steiner.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def recorded(served: Any, policy: dict[str, Any]) -> tuple[bytes, Trace]:
    """A recorded stream, and the trace that the server then gives."""
    body = {"messages": [{"role": "user", "content": PROMPT}], "reasoning": policy}
    stream = httpx.post(f"{served.url}/v1/reasoning", json=body).content
    first = json.loads(EventStreamDecoder().feed(stream)[0].data)
    answer = httpx.get(f"{served.url}/v1/reasoning/{first['id']}")
    Draft202012Validator(trace_schema()).validate(answer.json())
    return stream, Trace.model_validate_json(answer.content)


def without_times(trace: Trace) -> Trace:
    """What events tell of a trace."""
    untold = {"started_s": 0.0, "finished_s": None, "decision_forced": False}
    steps = tuple(step.model_copy(update=untold) for step in trace.steps)
    return trace.model_copy(update={"steps": steps, "problem": ""})


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_recorded_stream_and_its_lines_are_the_trace(
    stage: Any, serve: Any, policy: dict[str, Any]
) -> None:
    served = serve(stage.engine(stage.with_backtrack, "22<eot>"))
    stream, trace = recorded(served, policy)
    assert parse_saved_trace(stream) == without_times(trace)
    assert parse_saved_trace(stream[: len(stream) - 9]).steps == without_times(trace).steps
    events = [message.data for message in EventStreamDecoder().feed(stream)]
    assert parse_saved_trace("\n".join(events).encode()) == without_times(trace)
    validator = Draft202012Validator(event_schema())
    for event in events:
        validator.validate(json.loads(event))


def test_ask_saves_the_trace_that_the_server_has(stage: Any, serve: Any, tmp_path: Path) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    saved, drawn = tmp_path / "trace.json", tmp_path / "tree.svg"
    asked = steiner("ask", PROMPT, "--url", served.url, "--save", str(saved))
    assert (asked.returncode, asked.stderr) == (0, "")
    trace = Trace.model_validate_json(saved.read_bytes())
    assert httpx.get(f"{served.url}/v1/reasoning/{trace.id}").json() == json.loads(saved.read_bytes())
    shown = steiner("trace", str(saved), "--problem", PROMPT, "--image", str(drawn))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == asked.stdout
    assert ">make 22 from 15 4 11<" in drawn.read_text(encoding="utf-8")


def test_a_generation_that_breaks_off_is_saved_as_far_as_it_came(
    stage: Any, serve: Any, tmp_path: Path
) -> None:
    served = serve(stage.engine("<start><step_start><step_understanding_start>left 1 2"))
    saved = tmp_path / "trace.json"
    steiner("ask", PROMPT, "--url", served.url, "--save", str(saved))
    trace = Trace.model_validate_json(saved.read_bytes())
    assert trace.answer == ""
    assert [step.text_of("understanding") for step in trace.steps] == ["left 1"]
    assert trace.steps[0].interrupted
