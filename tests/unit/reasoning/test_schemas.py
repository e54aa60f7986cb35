"""The published schemas: current, valid, described, and strict where the types are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from steiner.reasoning.events import StepVerified, Usage
from steiner.reasoning.schemas import event_schema, schema_files, trace_schema
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schemas"
COMMAND = "python -m steiner.reasoning.schemas docs/schemas"


def test_the_published_files_are_current() -> None:
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.iterdir()}
    assert published == schema_files(), f"run `{COMMAND}` and commit what it writes"


def test_the_command_writes_them(tmp_path: Path) -> None:
    command = [sys.executable, *COMMAND.split()[1:-1], str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == schema_files()
    usage = subprocess.run(command[:-1], capture_output=True, text=True, check=False)
    assert (usage.returncode, usage.stderr) == (1, f"usage: {COMMAND.replace('docs/schemas', 'FOLDER')}\n")


@pytest.mark.parametrize("schema", [event_schema(), trace_schema()], ids=["events", "trace"])
def test_each_is_a_schema_of_its_dialect(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"].startswith("urn:steiner:schema:")
    assert schema["title"]
    assert schema["description"]


def test_every_event_is_reached_by_its_type() -> None:
    schema = event_schema()
    reached = schema["discriminator"]["mapping"]
    assert schema["discriminator"]["propertyName"] == "type"
    for name, reference in reached.items():
        assert schema["$defs"][reference.removeprefix("#/$defs/")]["properties"]["type"]["const"] == name


def test_fields_are_described_where_their_class_does() -> None:
    step = trace_schema()["$defs"]["Step"]
    assert step["description"] == "One node of the tree."
    assert step["properties"]["depth"]["description"].startswith("position on the live path, 1 for a child")
    assert "Attributes" not in json.dumps([event_schema(), trace_schema()])


def test_what_is_written_is_valid_and_nothing_else() -> None:
    events, traces = Draft202012Validator(event_schema()), Draft202012Validator(trace_schema())
    event = StepVerified(sequence_number=4, step=1, verdict="refuted", forced=False).model_dump(mode="json")
    events.validate(event)
    usage = Usage(prompt_tokens=1, completion_tokens=2, reasoning_tokens=3, answer_tokens=4, forced_tokens=5)
    events.validate(usage.model_dump(mode="json"))
    for broken in (event | {"verdict": "maybe"}, event | {"extra": 1}, event | {"type": "step.judged"}):
        with pytest.raises(ValidationError):
            events.validate(broken)
    trace = Trace(protocol="steiner", steps=(Step(id=1, depth=None, parent=None),)).model_dump(mode="json")
    traces.validate(trace)
    for name in ("steps", "answer", "ended_by"):
        with pytest.raises(ValidationError):
            traces.validate({key: value for key, value in trace.items() if key != name})
