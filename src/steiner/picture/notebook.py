"""Traces in a notebook: a cell whose value is one shows its picture."""

from steiner.picture.svg import svg_of
from steiner.picture.trace_picture import picture_of
from steiner.reasoning.trace import Trace


def show_traces() -> None:
    """Make traces draw themselves from now on. The client and `saved_trace` call this, so their users need not."""
    Trace.svg_writer = staticmethod(_svg_of_trace)


def _svg_of_trace(trace: Trace) -> str:
    return svg_of(picture_of(trace))
