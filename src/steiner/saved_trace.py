"""Read a saved trace: the trace itself, its events as JSON Lines, or a recorded event stream."""

import json
import re
import sys
from pathlib import Path

from pydantic import ValidationError

from steiner.client.event_stream import EventStreamDecoder
from steiner.picture.notebook import show_traces
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import BrokenStreamError, trace_of

show_traces()
STREAM_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:event|data|id|retry)?:")
KINDS = (
    "expected a trace (`steiner ask --save FILE`, or GET /v1/reasoning/{id}), its events as JSON Lines "
    "(`steiner ask --json`), or a recorded stream (`curl -N` on /v1/reasoning)"
)


class SavedTraceError(SteinerError):
    """A file that is not a trace; the message has its name, the wrong field or line, and what was expected."""


def read_saved_trace(source: str) -> Trace:
    """Read a file, or standard input for "-".

    Raises:
        SavedTraceError: the file cannot be read, or is not a trace in one of the three forms.
    """
    name = "standard input" if source == "-" else source
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise SavedTraceError(f"cannot read {name}: {error.strerror}") from error
    try:
        return parse_saved_trace(data)
    except (SavedTraceError, BrokenStreamError) as error:
        raise SavedTraceError(f"{name}: {error}") from error


def parse_saved_trace(data: bytes) -> Trace:
    """The trace in the bytes of a file.

    Raises:
        SavedTraceError: they are not a trace in any of the three forms.
        BrokenStreamError: they are events that cannot follow each other.
    """
    if not data.strip():
        raise SavedTraceError(f"it is empty; {KINDS}")
    if STREAM_FIELD.match(data):
        return trace_of(_events_of_stream(data))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SavedTraceError(f"byte {error.start} is not UTF-8; {KINDS}") from error
    # Only line feeds: JSON may hold the other characters at which `splitlines` breaks.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    first = _object_in(lines[0][1])
    if first is not None and "type" in first:
        return trace_of([_event(line, f"line {number}") for number, line in lines])
    return _whole_trace(text)


def _events_of_stream(data: bytes) -> list[Event]:
    # A message without a blank line after it was cut by the end of the recording, and is left out.
    messages = EventStreamDecoder().feed(data)
    if not messages:
        raise SavedTraceError("a recorded stream without one whole event; record it again")
    return [_event(message.data, f"event {message.last_event_id or '?'}") for message in messages]


def _event(text: str, place: str) -> Event:
    try:
        return EVENT_ADAPTER.validate_json(text)
    except ValidationError as error:
        raise SavedTraceError(
            f"{place} is no event: {_first_problem(error)}; {_hint(text, 'type')}"
        ) from error


def _whole_trace(text: str) -> Trace:
    try:
        trace = Trace.model_validate_json(text)
    except ValidationError as error:
        raise SavedTraceError(f"no trace: {_first_problem(error)}; {_hint(text, 'protocol')}") from error
    numbers = [step.id for step in trace.steps]
    if any(number < 1 for number in numbers) or sorted(set(numbers)) != numbers:
        raise SavedTraceError(f"no trace: steps.id must rise from 1 on, given {numbers[:20]}")
    return trace


def _object_in(line: str) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _hint(text: str, telling_field: str) -> str:
    """What to do about a text with an error. If it has this field, it was meant to be a trace or an event."""
    found = _object_in(text)
    return "correct it, or save it again" if found is not None and telling_field in found else KINDS


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    # The given value says nothing if a field is missing, and is long if it is an object.
    given = "" if problem["type"] in ("missing", "json_invalid") else f" (given {problem['input']!r:.60})"
    return f"{place + ': ' if place else ''}{problem['msg']}{given}"
