"""The meaning of the signs that occur in a picture."""

from collections.abc import Iterable
from typing import Literal

from steiner.picture import palette
from steiner.picture.badge import badge
from steiner.picture.shapes import Group, Label, Outline, Segment
from steiner.picture.text_fit import text_width

Sign = Literal[
    "verified", "refuted", "no verdict", "interrupted", "forced", "live path", "backtrack", "unknown"
]
MEANINGS: dict[Sign, str] = {
    "verified": "verified",
    "refuted": "refuted",
    "no verdict": "no verdict",
    "interrupted": "interrupted",
    "forced": "verdict by force, not the model's own",
    "live path": "live path",
    "backtrack": "backtrack, to where the search went on",
    "unknown": "unknown place",
}
"""In the order in which the legend has them."""
SIZE = 11.0
ROW = 26.0
SIGN, SPACE = 38.0, 22.0
LIVE_WIDTH = 3.5
RETURN_DASH = (5.0, 3.5)
ARROW = 6.0


def draw_legend(occurring: Iterable[Sign], x: float, y: float, width: float) -> tuple[Group, float]:
    """The legend in rows of at most this width from (x, y) on, and its height."""
    wanted = set(occurring)
    shapes: list[Outline | Label] = []
    left, top = x, y
    for sign, meaning in MEANINGS.items():
        if sign not in wanted:
            continue
        length = SIGN + text_width(meaning, SIZE)
        if left > x and left + length > x + width:
            left, top = x, top + ROW
        shapes += draw_sign(sign, left, top + ROW / 2)
        shapes.append(Label(left + SIGN, top + ROW / 2 + 4, meaning, SIZE, palette.MUTED))
        left += length + SPACE
    return Group(tuple(shapes)), top + ROW - y


def draw_sign(sign: Sign, x: float, y: float) -> tuple[Outline | Label, ...]:
    """One sign, in the space of SIGN to the right of x, around y."""
    middle, right = x + SIGN / 2 - 3, x + SIGN - 8
    match sign:
        case "verified" | "refuted" | "no verdict" | "interrupted":
            return badge(sign, middle, y)
        case "forced":
            return badge("refuted", middle, y, forced=True)
        case "live path":
            return (Outline(((x, y), (right, y)), palette.VERIFIED, LIVE_WIDTH),)
        case "backtrack":
            line = Outline(((right, y), (x + ARROW, y)), palette.RETURN, 1.4, dash=RETURN_DASH)
            return (line, arrow((x, y), (x + ARROW, y)))
        case "unknown":
            return unknown_place(middle, y)


def unknown_place(x: float, y: float) -> tuple[Outline | Label, ...]:
    """A question mark at the end of a line whose destination is unknown."""
    return (Label(x, y + 5, "?", 15, palette.RETURN, bold=True, anchor="middle"),)


def arrow(tip: tuple[float, float], back: tuple[float, float]) -> Outline:
    """The head of an arrow, from the middle of its back to its tip."""
    across = ((back[1] - tip[1]) * 0.6, (tip[0] - back[0]) * 0.6)
    corners: tuple[Segment, ...] = (
        tip,
        (back[0] + across[0], back[1] + across[1]),
        (back[0] - across[0], back[1] - across[1]),
    )
    return Outline(corners, fill=palette.RETURN, closed=True)
