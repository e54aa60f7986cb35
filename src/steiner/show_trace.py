"""`steiner trace`: what was saved, as the live view ends and as a picture."""

from pathlib import Path

from rich.console import Console

from steiner.picture.png import save_png
from steiner.picture.svg import svg_of
from steiner.picture.trace_picture import picture_of
from steiner.reasoning.errors import SteinerError
from steiner.reasoning.events_of_trace import events_of
from steiner.reasoning.trace import Trace
from steiner.saved_trace import read_saved_trace
from steiner.terminal.tree_view import TreeView
from steiner.terminal.usage_line import token_line

FORMATS = (".svg", ".png")


class UnknownImageFormatError(SteinerError):
    """The name of a picture has an ending that is not known; the message has those that are."""


def show_trace(source: str, problem: str, image: Path | None) -> None:
    """Print a saved trace as a tree, and draw it if a file for that is given.

    Args:
        source: a file, or "-" for standard input.
        problem: what was asked, which a trace does not hold; "" where it is not known.
        image: ends in .svg or .png.

    Raises:
        SavedTraceError: no trace in the file.
        UnknownImageFormatError: another ending.
        NoPngWriterError: PNG without matplotlib.
        OSError: the picture cannot be written.
    """
    if image is not None and image.suffix.lower() not in FORMATS:
        raise UnknownImageFormatError(f"cannot draw {image}: its name must end in {' or '.join(FORMATS)}")
    trace = read_saved_trace(source)
    console = Console(highlight=False)
    view = TreeView(console, problem or "problem")
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
    if image is not None:
        draw_trace(trace, problem, image)


def draw_trace(trace: Trace, problem: str, image: Path) -> None:
    """Save the picture of a trace as SVG or PNG, by the ending of the name."""
    picture = picture_of(trace, problem)
    if image.suffix.lower() == ".png":
        save_png(picture, image)
    else:
        image.write_text(svg_of(picture), encoding="utf-8")
