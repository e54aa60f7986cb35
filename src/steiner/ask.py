"""`steiner ask`: one question to a running server, shown as it is answered."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from steiner.client import ReasoningClient
from steiner.reasoning import events
from steiner.reasoning.errors import SteinerError
from steiner.terminal.picture import save_svg
from steiner.terminal.tree_view import TreeView
from steiner.terminal.usage_line import usage_line


class SchemaFileError(SteinerError):
    """A file that was to hold a JSON Schema does not."""


def response_format(schema: Path) -> dict[str, Any]:
    """The field `response_format` of a request, from a file with the JSON Schema of the answer.

    Raises:
        OSError: the file cannot be read.
        SchemaFileError: it holds no JSON object.
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
    url: str,
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
        svg: where to save what was shown as a picture, if anywhere.
        save: where to save the trace, if anywhere, for `steiner trace`; a failed or cancelled one, too.

    Ctrl-C cancels the generation on the server before the command ends.

    Raises:
        ClientError: the server cannot be reached, or refused.
        OSError: the picture or the trace cannot be written.
    """
    client = ReasoningClient(url, api_key=api_key)
    console = Console(highlight=False)
    view = TreeView(console, prompt)
    generation_id: str | None = None
    status = 1
    shown: list[events.Event] = []
    try:
        for event in client.stream(prompt, **options):
            if as_json:
                sys.stdout.write(event.model_dump_json() + "\n")
                sys.stdout.flush()
            else:
                view.handle(event)
            if svg is not None:
                shown.append(event)
            match event:
                case events.ReasoningStarted():
                    generation_id = event.id
                case events.Usage() if not as_json:
                    console.print(usage_line(event), style="dim")
                case events.Done():
                    status = 0
                case _:
                    pass
    except KeyboardInterrupt:
        if generation_id is not None:
            client.cancel(generation_id)
        raise
    finally:
        if save is not None and generation_id is not None:
            save.write_text(client.trace(generation_id).model_dump_json(indent=2) + "\n", encoding="utf-8")
    if svg is not None:
        save_svg(shown, prompt, svg)
    return status
