"""A stream of events as a picture of the terminal that showed it."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from steiner.reasoning.events import Event
from steiner.terminal.tree_view import TreeView

WIDTH = 100
# The library's own template fetches a font from a third party whenever the picture is looked at.
TEMPLATE = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def save_svg(events: Iterable[Event], prompt: str, path: Path) -> None:
    """Draw the whole stream as `steiner ask` does on a terminal, and save it as SVG.

    Raises:
        OSError: the file cannot be written.
    """
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=WIDTH, highlight=False)
    view = TreeView(console, prompt)
    for event in events:
        view.handle(event)
    # A fixed id: the same events give the same file.
    path.write_text(
        console.export_svg(title=f"steiner ask '{prompt}'", unique_id="steiner", code_format=TEMPLATE),
        encoding="utf-8",
    )
