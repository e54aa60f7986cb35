"""The growing tree of a reasoning stream on a terminal: redrawn as it grows, its closed branches folded.

The live path is open, with the sections of its steps. What a backtrack left is one dim line. While the search runs, the
end of the tree is in sight. Afterwards all of it stays in the scroll-back, with the answer last.

    make 22 from 15 4 11
    ├─ ✗ 15 * 11 = 165  ↩ back to the problem
    ├─ ✓ step 2  15 + 11 = 26
    │  └ 26 4 open
    │  ├─ ✓ step 3  26 - 4 = 22
    └─ answer  ( 15 + 11 ) - 4
"""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import Backtrack, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_of_events import TraceFold
from steiner.reasoning.tree.trace_tree import tree_of
from steiner.terminal.guided_text import without_controls
from steiner.terminal.tree_view import ASCII, UNICODE, place_named

FRAME_S = 0.08
LABEL_WIDTH = 15
#: Lines that stay free below the tree, for the cursor and for what a shell adds.
MARGIN = 2
SIGNS = {"verified": "green", "refuted": "red", None: "yellow"}


class LiveTree:
    """Feed it every event of one stream in order, inside `with`."""

    def __init__(self, console: Console, prompt: str, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._glyphs = ASCII if console.options.ascii_only else UNICODE
        self._prompt = without_controls(prompt.strip())
        self._now = now
        self._drawn_at = float("-inf")
        self._pause_s = FRAME_S
        self._fold = TraceFold()
        self._notes: list[tuple[str, str]] = []
        self._waits = ""
        self._live = Live(
            console=console, auto_refresh=False, transient=True, get_renderable=self._end_of_tree
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits = ""
        self._live.stop()
        self._console.print(Group(*self._lines()))

    def handle(self, event: Event) -> None:
        """Take one event, and draw if the last drawing is a while ago."""
        self._fold.take(event)
        match event:
            case events.ReasoningStarted():
                self._waits = "waiting for a turn, then for the prompt to be read"
            case events.StepStarted() | events.AnswerDelta() | events.ReasoningDone():
                self._waits = ""
            case events.Violation(detail=detail):
                self._notes.append((f"protocol violation: {detail}", "red"))
            case events.Cancelled():
                self._notes.append(("cancelled", "yellow"))
            case events.Failed(message=message):
                self._notes.append((f"error: {message}", "bold red"))
            case _:
                pass
        if (now := self._now()) - self._drawn_at >= self._pause_s:
            self._drawn_at = now
            began = time.perf_counter()
            self._live.refresh()
            # A large tree takes a while to draw: the stream must not wait for it.
            self._pause_s = FRAME_S + 4 * (time.perf_counter() - began)

    def _end_of_tree(self) -> Group:
        """As much of the end as the terminal has lines for."""
        lines = self._lines()
        room = max(self._console.height - MARGIN, 1)
        if len(lines) > room:
            above = len(lines) - room + 1
            lines = [Text(f"... {above} lines above", "dim"), *lines[above:]]
        return Group(*lines)

    def _lines(self) -> list[Text]:
        trace = self._fold.trace()
        tree = tree_of(trace)
        lines = self._wrapped(Text(), Text(), Text(self._prompt, "bold"))
        #: The folded step whose line shows a step.
        folded: dict[int, int] = {}
        for step in trace.steps:
            parent = tree.parents[step.id]
            if step.id not in tree.live and parent is not None and parent not in tree.live:
                folded[step.id] = folded.get(parent, parent)
        num_folded = Counter(folded.values())
        #: By folded step, the last step in its line: what that step found is why the branch was left.
        closing = {folded.get(step.id, step.id): step for step in trace.steps}
        for step in trace.steps:
            is_open = step is trace.steps[-1] and step.decision is None
            if step.id in tree.live or is_open:
                lines += self._open_step(step, trace)
            elif step.id not in folded:
                last = closing[step.id]
                lines.append(self._folded(step, num_folded[step.id], last, tree.destinations.get(last.id)))
        if trace.reply:
            head = Text().append(self._glyphs.last, "dim").append("answer  ", "bold")
            lines += self._wrapped(
                head, Text(" " * head.cell_len), Text(without_controls(trace.reply), "bold")
            )
        lines += [Text(without_controls(text), style) for text, style in self._notes]
        if self._waits:
            lines.append(Text(self._waits, "dim italic"))
        return lines

    def _open_step(self, step: Step, trace: Trace) -> list[Text]:
        bars = self._bars((step.depth or 1) - 1)
        head = bars.copy().append(self._glyphs.branch, "dim").append(f"step {step.id}", "bold cyan")
        if step.verdict is not None:
            head.append(f"  {self._sign(step)} {step.verdict}", f"bold {SIGNS[step.verdict]}")
        if step.verdict_forced:
            head.append(" (forced)", "magenta")
        lines = [head]
        inner = self._bars(step.depth or 1).append("  ")
        hanging = inner.copy()
        hanging.pad_right(LABEL_WIDTH)
        for section in step.sections:
            label = inner.copy().append(section.role.replace("_", " "), "dim")
            label.pad_right(hanging.cell_len - label.cell_len)
            lines += self._wrapped(label, hanging, Text(without_controls(section.text.strip())))
        if step.interrupted:
            lines.append(inner.copy().append("interrupted", "yellow"))
        for cut in trace.interventions:
            if cut.step == step.id:
                told = f"intervention ({cut.kind}): {without_controls(cut.detail)}"
                lines.append(inner.copy().append(told, "magenta"))
        return lines

    def _folded(self, step: Step, num_below: int, last: Step, destination: int | None) -> Text:
        line = self._bars((step.depth or 1) - 1).append(self._glyphs.branch)
        line.append(self._sign(last), SIGNS[last.verdict])
        said = step.text_of("next_step") or max((part.text for part in step.sections), key=len, default="")
        line.append(f" step {step.id}  {' '.join(without_controls(said).split())}")
        if num_below:
            line.append(f"  (+{num_below} step{'s' if num_below > 1 else ''})")
        if last.verdict_forced:
            line.append("  (forced)", "magenta")
        if last.repeats is not None:
            line.append(f"  repeats step {last.repeats}", "magenta")
        if isinstance(last.decision, Backtrack):
            line.append(f"  {self._glyphs.back} back to {place_named(last.decision.to_depth, destination)}")
        line.stylize("dim")
        line.truncate(self._console.width, overflow="ellipsis")
        return line

    def _sign(self, step: Step) -> str:
        signs = {"verified": self._glyphs.verified, "refuted": self._glyphs.refuted, None: "?"}
        return signs[step.verdict]

    def _bars(self, count: int) -> Text:
        return Text().append(self._glyphs.bar * count, "dim")

    def _wrapped(self, head: Text, hanging: Text, text: Text) -> list[Text]:
        """The text in lines of the terminal's width, first after `head` and then under its end."""
        width = max(self._console.width - hanging.cell_len, 20)
        first, *others = text.wrap(self._console, width) or [Text()]
        return [head.copy().append_text(first), *(hanging.copy().append_text(line) for line in others)]
