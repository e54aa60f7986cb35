"""`steiner trace`: a saved trace as a tree in the terminal, as a picture, and as a page."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from steiner.picture.mermaid import mermaid_of
from steiner.picture.png import save_png
from steiner.picture.svg import svg_of
from steiner.picture.trace_picture import picture_of
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.events_of_trace import events_of
from steiner.saved_trace import read_saved_trace
from steiner.terminal.tree_view import TreeView
from steiner.terminal.usage_line import token_line
from steiner.view.page import page_of

FORMATS = (".svg", ".png")


class UnknownImageFormatError(SteinerError):
    """The name of a picture has an unknown ending; the message lists the known ones."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """Files to write for a trace; None for each that is not wanted."""

    svg: Path | None = None
    png: Path | None = None
    mermaid: Path | None = None
    html: Path | None = None

    @classmethod
    def of(cls, image: Path | None, **files: Path | None) -> "Drawings":
        """The files, and a picture in the format that its name tells.

        Raises:
            UnknownImageFormatError: the picture's name ends in something else.
        """
        if image is None:
            return cls(**files)
        kind = image.suffix.lower()
        if kind not in FORMATS:
            raise UnknownImageFormatError(f"cannot draw {image}: its name must end in {' or '.join(FORMATS)}")
        return cls(**{**files, kind.removeprefix("."): image})

    def draw(self, trace: Trace, problem: str) -> None:
        """Write them.

        Raises:
            NoPngWriterError: PNG without matplotlib.
            OSError: a file cannot be written.
        """
        if self.svg is not None:
            self.svg.write_text(svg_of(picture_of(trace, problem)), encoding="utf-8")
        if self.png is not None:
            save_png(picture_of(trace, problem), self.png)
        if self.mermaid is not None:
            self.mermaid.write_text(mermaid_of(trace, problem), encoding="utf-8")
        if self.html is not None:
            self.html.write_text(page_of(trace, problem), encoding="utf-8")


def show_trace(source: str, problem: str, drawings: Drawings) -> None:
    """Print a saved trace as a tree, and draw it into the files that are given.

    Args:
        source: a file, or "-" for standard input.
        problem: what was asked; "" to use what the trace says.

    Raises:
        SavedTraceError: the file holds no trace.
        NoPngWriterError: PNG without matplotlib.
        OSError: a file cannot be written.
    """
    trace = read_saved_trace(source)
    asked = problem or trace.problem
    console = Console(highlight=False)
    view = TreeView(console, asked or "problem")
    view.begin()
    for event in events_of(trace):
        view.handle(event)
    console.print(
        token_line(
            trace.num_prompt_tokens,
            trace.num_reasoning_tokens,
            trace.num_answer_tokens,
            trace.num_forced_tokens,
        ),
        style="dim",
    )
    drawings.draw(trace, asked)
