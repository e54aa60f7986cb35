"""What stands in the boxes of a tree: the problem, a step, the answer."""

from dataclasses import dataclass
from typing import Literal

from steiner.picture import palette
from steiner.picture.badge import RADIUS, Standing, badge, standing_of
from steiner.picture.shapes import Group, Label, Outline, bevelled, rounded
from steiner.picture.text_fit import shortened, text_width, visible, wrapped
from steiner.reasoning.steps import Step

WIDTH = 216.0
PADDING = 10.0
HEAD = 20.0
TEXT, LINE_HEIGHT = 12.0, 15.5
NOTE, NOTE_HEIGHT = 10.0, 13.0
MAX_LINES, MAX_BOOKEND_LINES = 3, 12
MAX_HINT = 1500
INNER = WIDTH - 2 * PADDING


@dataclass(frozen=True, slots=True)
class Note:
    """A remark at the foot of a card."""

    text: str
    colour: str = palette.MUTED


@dataclass(frozen=True, slots=True)
class Card:
    """The content of a box, measured and not yet placed.

    Attributes:
        head: first line, in bold.
        lines: text, already wrapped.
        conclusion: one line in grey under it.
        notes: remarks under that.
        hint: all of the text, shown when the reader points at the card.
    """

    kind: Literal["problem", "step", "answer"]
    head: str
    lines: tuple[str, ...]
    conclusion: str = ""
    notes: tuple[Note, ...] = ()
    standing: Standing = "no verdict"
    forced: bool = False
    interrupted: bool = False
    hint: str = ""

    @property
    def height(self) -> float:
        """In pixels; every card is WIDTH wide."""
        num_notes = len(self.notes) + bool(self.conclusion)
        body = HEAD + len(self.lines) * LINE_HEIGHT + num_notes * NOTE_HEIGHT
        return PADDING + body + PADDING - (0 if num_notes else 2)


def text_card(kind: Literal["problem", "answer"], text: str) -> Card:
    """The card of the problem or of the answer."""
    return Card(kind, kind, wrapped(text, TEXT, INNER, MAX_BOOKEND_LINES), hint=visible(text[:MAX_HINT]))


def step_card(step: Step, remarks: tuple[Note, ...] = ()) -> Card:
    """The card of a step: what it does next, and what it concludes; the whole of it in the hint."""
    text = step.text_of("next_step") or max((part.text for part in step.sections), key=len, default="")
    conclusion = step.text_of("summary")
    notes = remarks
    if step.interrupted:
        notes = (Note("interrupted"), *notes)
    if step.repeats is not None:
        by_force = "refuted by force: " if step.verdict_forced else ""
        notes = (Note(f"{by_force}repeats step {step.repeats}", palette.INK), *notes)
    elif step.verdict_forced:
        notes = (Note("verdict forced by a verifier", palette.INK), *notes)
    return Card(
        "step",
        f"step {step.id}",
        wrapped(text, TEXT, INNER, MAX_LINES),
        shortened(conclusion, NOTE, INNER) if conclusion != text else "",
        tuple(Note(shortened(note.text, NOTE, INNER), note.colour) for note in notes),
        standing_of(step),
        step.verdict_forced,
        step.interrupted,
        _hint(step),
    )


def draw_card(card: Card, x: float, y: float, live: bool) -> Group:
    """The card with its upper left corner at (x, y); `live` marks it as part of the live path."""
    if card.kind == "step":
        return Group((*_step_frame(card, x, y, live), *_words(card, x, y, live)), card.hint)
    is_answer = card.kind == "answer"
    colour = palette.VERIFIED if is_answer else palette.INK
    frame = Outline(rounded(x, y, WIDTH, card.height, 8), colour, 2, colour, closed=True)
    head = Label(x + PADDING, y + PADDING + 10, card.head, TEXT, palette.PAPER, bold=True)
    return Group((frame, head, *_lines(card, x, y, palette.PAPER, bold=is_answer)), card.hint)


def _step_frame(card: Card, x: float, y: float, live: bool) -> tuple[Outline | Label, ...]:
    colour, tint = {
        "verified": (palette.VERIFIED, palette.VERIFIED_TINT if live else palette.PAPER),
        "refuted": (palette.REFUTED, palette.REFUTED_TINT),
        "interrupted": (palette.OPEN, palette.OPEN_TINT),
        "no verdict": (palette.OPEN, palette.PAPER),
    }[card.standing]
    is_refuted = card.standing == "refuted"
    shape = bevelled(x, y, WIDTH, card.height, 8) if is_refuted else rounded(x, y, WIDTH, card.height, 8)
    dash = (6.0, 4.0) if card.interrupted else (1.5, 3.0) if card.standing == "no verdict" else ()
    frame = Outline(shape, colour, 2.8 if live else 1.3, tint, dash, closed=True)
    return (frame, *badge(card.standing, x + PADDING + RADIUS, y + PADDING + 6, card.forced))


def _words(card: Card, x: float, y: float, live: bool) -> tuple[Label, ...]:
    ink = palette.INK if live or card.standing != "verified" else palette.MUTED
    left = x + PADDING + 2 * RADIUS + (9 if card.forced else 6)
    head = Label(left, y + PADDING + 10, card.head, TEXT, ink, bold=True)
    says = Label(
        left + text_width(card.head, TEXT, bold=True) + 2,
        y + PADDING + 10,
        card.standing,
        NOTE,
        {"verified": palette.VERIFIED, "refuted": palette.REFUTED}.get(card.standing, palette.OPEN),
    )
    labels = [head, says, *_lines(card, x, y, ink)]
    foot = y + PADDING + HEAD + len(card.lines) * LINE_HEIGHT
    remarks = (Note(card.conclusion), *card.notes) if card.conclusion else card.notes
    for index, note in enumerate(remarks):
        baseline = foot + (index + 1) * NOTE_HEIGHT - 3
        is_remark = not card.conclusion or index > 0
        labels.append(Label(x + PADDING, baseline, note.text, NOTE, note.colour, italic=is_remark))
    return tuple(labels)


def _lines(card: Card, x: float, y: float, colour: str, bold: bool = False) -> tuple[Label, ...]:
    first = y + PADDING + HEAD + 11
    return tuple(
        Label(x + PADDING, first + index * LINE_HEIGHT, line, TEXT, colour, bold)
        for index, line in enumerate(card.lines)
    )


def _hint(step: Step) -> str:
    parts = [f"{section.name}: {section.text}" for section in step.sections]
    verdict = step.verdict or "no verdict"
    by_force = ", by force" if step.verdict_forced else ""
    text = "\n".join([f"step {step.id}: {verdict}{by_force}; {step.num_tokens} tokens", *parts])
    return visible(text if len(text) <= MAX_HINT else text[:MAX_HINT] + "...")
