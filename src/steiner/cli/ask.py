"""`steiner ask`: one question to a running server, shown while it is answered."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from steiner.cli.asked_server import asked_server
from steiner.client import ReasoningClient
from steiner.reasoning import events
from steiner.reasoning.errors import SteinerError
from steiner.terminal.live_tree import LiveTree
from steiner.terminal.tree_view import TreeView, save_svg
from steiner.terminal.usage_line import usage_line


class SchemaFileError(SteinerError):
    """A file that should hold a JSON Schema does not."""


def response_format(schema: Path) -> dict[str, Any]:
    """The field `response_format` of a request, from a file with the JSON Schema of the answer.

    Raises:
        OSError: the file cannot be read.
        SchemaFileError: it does not hold a JSON object.
    """
    try:
        described = json.loads(schema.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemaFileError(f"{schema} is not valid JSON: {error}") from error
    if not isinstance(described, dict):
        raise SchemaFileError(f"{schema} must hold a JSON object, the schema of the answer")
    # OpenAI's rule for names.
    name = re.sub(r"[^A-Za-z0-9_-]", "_", schema.stem)[:64]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": described}}


def ask_and_show(
    url: str | None,
    api_key: str | None,
    prompt: str,
    options: dict[str, Any],
    *,
    as_json: bool = False,
    svg: Path | None = None,
    save: Path | None = None,
) -> int:
    """Stream one answer to standard output; 0 if the generation ended by itself, else 1.

    Args:
        url: of a running server; None for the one of this machine, or one of our own.
        svg: where to save what was shown as a picture, if anywhere.
        save: where to save the trace, if anywhere, for `steiner trace`; even a failed or cancelled one.

    Ctrl-C cancels the generation on the server before the command ends.

    Raises:
        ClientError: the server cannot be reached, or refused.
        NoServerError: there is none, and none can be started; other errors of `asked_server` alike.
        OSError: the picture or the trace cannot be written.
    """
    with asked_server(url, Console(stderr=True, highlight=False)) as address:
        asking = _Asking(ReasoningClient(address, api_key=api_key), prompt)
        try:
            asking.show(options, as_json)
        finally:
            if save is not None and asking.generation_id is not None:
                trace = asking.client.trace(asking.generation_id)
                save.write_text(trace.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if svg is not None:
        save_svg(asking.told, prompt, svg)
    return 0 if asking.is_done else 1


class _Asking:
    """One question while it is answered."""

    def __init__(self, client: ReasoningClient, prompt: str) -> None:
        self.client = client
        self.told: list[events.Event] = []
        self.generation_id: str | None = None
        self.is_done = False
        self._prompt = prompt

    def show(self, options: dict[str, Any], as_json: bool) -> None:
        """Ask, and show every event. If interrupted, cancel on the server and show where it stopped."""
        console = Console(highlight=False)
        if as_json:
            self._follow(options, _write_line)
        elif console.is_terminal:
            with LiveTree(console, self._prompt) as tree:
                self._follow(options, tree.handle)
        else:
            self._follow(options, TreeView(console, self._prompt).handle)
        if not as_json:
            for event in self.told:
                if isinstance(event, events.Usage):
                    console.print(usage_line(event), style="dim")

    def _follow(self, options: dict[str, Any], show: Callable[[events.Event], None]) -> None:
        try:
            for event in self.client.stream(self._prompt, **options):
                self.told.append(event)
                if isinstance(event, events.ReasoningStarted):
                    self.generation_id = event.id
                self.is_done = isinstance(event, events.Done)
                show(event)
        except KeyboardInterrupt:
            if self.generation_id is not None:
                self.client.cancel(self.generation_id)
                show(events.Cancelled())
            raise


def _write_line(event: events.Event) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()
