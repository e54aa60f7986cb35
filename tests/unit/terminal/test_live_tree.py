"""The tree that is redrawn: what it shows in the middle and at the end, and that it fits the terminal."""

import io
import re
from pathlib import Path

from rich.console import Console

from steiner.reasoning.events import EVENT_ADAPTER, Event
from steiner.terminal.live_tree import LiveTree

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FINAL = """\
make 22 from 15 4 11
├─ ✗ step 1  15 * 11 = 165  ↩ back to the problem
├─ ✗ step 2  15 + 4 = 19  (+1 step)  ↩ back to the problem
├─ ✗ step 4  15 * 11 = 165  (forced)  repeats step 1  ↩ back to the problem
├─ step 5  ✓ verified
│    understanding  make 22 with 15 4 11 tried
│    next step      15 + 11 = 26
│    verification   26 4 open
│    summary        26 4 open
│  ├─ step 6  ✓ verified
│  │    understanding
│  │    next step      26 - 4 = 22
"""


def events_of(name: str) -> list[Event]:
    lines = (GOLDEN / f"{name}.jsonl").read_text().splitlines()
    return [EVENT_ADAPTER.validate_json(line) for line in lines]


def shown(events: list[Event], *, height: int = 50, encoding: str = "utf-8") -> list[str]:
    """Every drawing, the last of them what stays; a drawing after every event."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(
        file=file, width=80, height=height, force_terminal=True, no_color=True, legacy_windows=False
    )
    clock = iter(range(10**6))
    with LiveTree(console, "make 22 from 15 4 11", now=lambda: float(next(clock))) as tree:
        for event in events:
            tree.handle(event)
    # Each drawing begins by erasing the one before it.
    text = re.sub(r"\x1b\[\?25[lh]|\x1b\[\d*;?\d*m", "", raw.getvalue().decode(encoding))
    drawings = re.split(r"(?:\r?\x1b\[2K(?:\x1b\[1A)?|\r\x1b\[1A)+", text.replace("\r\n", "\n"))
    return ["\n".join(line.rstrip() for line in drawing.split("\n")) for drawing in drawings]


def test_at_the_end_the_live_path_is_open_and_the_rest_is_folded() -> None:
    final = shown(events_of("forced"))[-1]
    for line in FINAL.splitlines():
        assert line in final
    assert final.rstrip().endswith("└─ answer  ( 15 + 11 ) - 4")


def test_a_branch_folds_when_it_closes() -> None:
    drawings = shown(events_of("forced"))
    opened = next(drawing for drawing in drawings if "├─ step 1  ✗ refuted" in drawing)
    assert "next step      15 * 11 = 165" in opened
    folded = next(drawing for drawing in drawings if "├─ ✗ step 1  15 * 11 = 165" in drawing)
    assert "understanding  make 22 with 15 4 11 tried" not in folded.split("├─ step 2")[0]


def test_while_it_runs_it_is_never_higher_than_the_terminal() -> None:
    *drawings, final = shown(events_of("forced"), height=10)
    assert max(drawing.strip("\n").count("\n") + 1 for drawing in drawings) <= 8
    assert any("lines above" in drawing for drawing in drawings)
    assert "lines above" not in final
    assert "├─ ✗ step 1" in final


def test_only_what_is_folded_is_dim() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="standard", legacy_windows=False)
    with LiveTree(console, "make 22") as tree:
        for event in events_of("forced"):
            tree.handle(event)
    *_, answer = [line for line in file.getvalue().splitlines() if "( 15 + 11 ) - 4" in line]
    assert re.search(r"\x1b\[1m\( 15", answer)
    folded = [line for line in file.getvalue().splitlines() if "step 4" in line][-1]
    assert re.search(r"\x1b\[2m step 4", folded)


def test_an_error_and_an_open_step_are_shown() -> None:
    final = shown(events_of("failed"))[-1]
    assert "error: the engine failed on this request; it can be sent again" in final
    assert "make 22 with 19" in final


def test_an_interrupted_step_says_by_what() -> None:
    final = shown(events_of("budget"))[-1]
    assert "interrupted" in final
    assert "intervention (budget): max_reasoning_tokens (90) reached" in final


def test_what_is_waited_for_is_said() -> None:
    [started, *_] = events_of("forced")
    assert "waiting for a turn, then for the prompt to be read" in "".join(shown([started])[:-1])


def test_a_terminal_without_the_signs_gets_others() -> None:
    final = shown(events_of("forced"), encoding="ascii")[-1]
    assert "+- x step 1  15 * 11 = 165  <- back to the problem" in final
