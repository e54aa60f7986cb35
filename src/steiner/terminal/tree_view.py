"""The growing tree of a reasoning stream, printed once and never redrawn.

A search visits its tree depth first, so each new step hangs under a step of the live path, and everything
below that step has been printed already: lines that are only ever appended draw the tree as it is. That keeps
the scroll-back, a log file and a pipe as readable as the terminal itself.

    make 22 from 15 4 11
    ├─ step 1
    │    understanding  make 22 with 15 11 4 tried
    │    next step      15 11 * = 165
    │    verification   165 4 for 22 : + 169 - 161  ✗ refuted
    │    summary        open 15 11 4
    │    ↩ back to the problem
    ├─ step 2
    │    ...
    │    verification   15 7 open  ✓ verified
    │  ├─ step 3
    │  │    ...
    └─ answer  15 + ( 11 - 4 )
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.protocol import Verdict
from steiner.terminal.guided_text import GuidedText

LABEL_WIDTH = 15
SVG_WIDTH = 100
# The library's own template fetches a font from a third party whenever the picture is looked at.
SVG_TEMPLATE = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The drawing characters, for terminals with and without them."""

    bar: str
    branch: str
    last: str
    verified: str
    refuted: str
    back: str


UNICODE = Glyphs("│  ", "├─ ", "└─ ", "✓", "✗", "↩")
ASCII = Glyphs("|  ", "+- ", "`- ", "+", "x", "<-")


class TreeView:
    """Feed it every event of one stream in order."""

    def __init__(self, console: Console, prompt: str) -> None:
        self._text = GuidedText(console)
        self._glyphs = ASCII if console.options.ascii_only else UNICODE
        self._prompt = prompt
        self._depth = 0
        #: What the open line shows: a section's role, "answer", "call", or nothing.
        self._open: str | None = None
        #: Notes that came while a line was open, which may still grow; they are written below it.
        self._held: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Show the problem. `reasoning.started` does this, but a saved trace lacks that event."""
        self._text.line(Text(), self._prompt.strip(), "bold")

    def handle(self, event: Event) -> None:  # noqa: C901 - one case an event type
        """Show one event."""
        match event:
            case events.ReasoningStarted():
                self.begin()
            case events.StepStarted(step=step, depth=depth):
                # With a protocol that leaves depths unknown, the tree is a flat list.
                self._depth = depth or 1
                head = self._bars(self._depth - 1).append(self._glyphs.branch, "dim")
                self._text.line(head, f"step {step}", "bold cyan")
            case events.SectionStarted(role=role):
                self._begin(role.replace("_", " "), self._bars(self._depth).append("  "))
            case events.SectionDelta(text=text):
                self._text.write(text)
            case events.StepVerified(verdict=verdict, forced=forced):
                self._verdict(verdict, forced)
            case events.SectionDone():
                self._end()
            case events.StepDone(interrupted=interrupted, repeats=repeats):
                self._end()
                if repeats is not None:
                    self._note(f"repeats step {repeats}", "magenta")
                if interrupted:
                    self._note("interrupted", "yellow")
            case events.Backtracked(to_step=to_step, to_depth=to_depth):
                self._note(f"{self._glyphs.back} back to {place_named(to_depth, to_step)}", "yellow")
            case events.Intervention(kind=kind, detail=detail):
                self._note(f"intervention ({kind}): {detail}", "magenta")
            case events.Violation(detail=detail):
                self._note(f"protocol violation: {detail}", "red")
            case events.ReasoningDone():
                self._end()
                self._depth = 0
            case events.AnswerDelta(text=text):
                if self._open is None:
                    self._begin("answer", Text(self._glyphs.last, "dim"), style="bold")
                self._text.write(text, "bold")
            case events.ToolCallStarted(name=name):
                self._begin("call", Text(self._glyphs.last, "dim"), style="bold")
                self._text.write(f"{name} ", "bold")
            case events.ToolCallDelta(arguments=arguments):
                self._text.write(arguments)
            case events.ToolCallDone() | events.AnswerDone():
                self._end()
            case events.Usage() | events.Done():
                pass
            case events.Cancelled():
                self._end()
                self._note("cancelled", "yellow")
            case events.Failed(message=message):
                self._end()
                self._note(f"error: {message}", "bold red")
            case _:
                assert_never(event)

    def _bars(self, count: int) -> Text:
        return Text(self._glyphs.bar * count, "dim")

    def _begin(self, label: str, head: Text, style: str = "dim") -> None:
        self._end()
        # The answer is the last branch: no guide line goes on below it.
        hanging = Text(" " * head.cell_len) if label in ("answer", "call") else head.copy()
        hanging.pad_right(LABEL_WIDTH)
        self._text.begin(head.append(label, style), hanging)
        self._open = label

    def _end(self) -> None:
        if self._open is not None:
            self._text.end()
            self._open = None
        held, self._held = self._held, []
        for text, style in held:
            self._note(text, style)

    def _verdict(self, verdict: Verdict, forced: bool) -> None:
        glyph, style = (
            (self._glyphs.verified, "bold green")
            if verdict == "verified"
            else (self._glyphs.refuted, "bold red")
        )
        self._text.write(f"  {glyph} {verdict}", style)
        if forced:
            self._text.write(" (forced)", "magenta")

    def _note(self, text: str, style: str) -> None:
        if self._open is None:
            self._text.line(self._bars(self._depth).append("  "), text, style)
        else:
            self._held.append((text, style))


def place_named(depth: int | None, step: int | None) -> str:
    if depth == 0:
        return "the problem"
    return f"step {step}" if step is not None else "an earlier step"


def save_svg(events: Iterable[Event], prompt: str, path: Path) -> None:
    """Draw the whole stream as `steiner ask` does on a terminal, and save it as SVG.

    Raises:
        OSError: the file cannot be written.
    """
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=SVG_WIDTH, highlight=False)
    view = TreeView(console, prompt)
    for event in events:
        view.handle(event)
    # A fixed id: the same events give the same file.
    path.write_text(
        console.export_svg(title=f"steiner ask '{prompt}'", unique_id="steiner", code_format=SVG_TEMPLATE),
        encoding="utf-8",
    )
