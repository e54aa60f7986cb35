"""The sign of a step's verdict: shape and glyph say what the colour says. It is drawn, so no font can lack it."""

from typing import Literal

from steiner.picture import palette
from steiner.picture.shapes import Outline, circle, rounded
from steiner.reasoning.steps import Step

Standing = Literal["verified", "refuted", "interrupted", "no verdict"]
RADIUS = 8.0
GLYPH_WIDTH = 2.0


def standing_of(step: Step) -> Standing:
    """How a step stands: its verdict, or why it has none."""
    if step.verdict is not None:
        return step.verdict
    return "interrupted" if step.interrupted else "no verdict"


def badge(standing: Standing, x: float, y: float, forced: bool = False) -> tuple[Outline, ...]:
    """A sign around (x, y): a tick in a disc, a cross in a square, bars in a ring, a dash in a dashed ring.

    Args:
        forced: draws a second frame, which says that the verdict is not the model's own.
    """
    match standing:
        case "verified":
            tick = ((x - 4, y + 0.2), (x - 1.2, y + 3.2), (x + 4.2, y - 3.4))
            sign: tuple[Outline, ...] = (
                Outline(circle(x, y, RADIUS), fill=palette.VERIFIED, closed=True),
                _glyph(*tick),
            )
            frame = circle(x, y, RADIUS + 3)
        case "refuted":
            side = RADIUS - 1
            square = rounded(x - side, y - side, 2 * side, 2 * side, 1.5)
            arms = (
                _glyph((x - 3.4, y - 3.4), (x + 3.4, y + 3.4)),
                _glyph((x + 3.4, y - 3.4), (x - 3.4, y + 3.4)),
            )
            sign = (Outline(square, fill=palette.REFUTED, closed=True), *arms)
            frame = rounded(x - side - 3, y - side - 3, 2 * side + 6, 2 * side + 6, 3)
        case "interrupted":
            ring = Outline(circle(x, y, RADIUS - 1), palette.OPEN, 1.6, palette.PAPER, closed=True)
            bars = tuple(_glyph((x + at, y - 3), (x + at, y + 3), colour=palette.OPEN) for at in (-2.3, 2.3))
            return (ring, *bars)
        case "no verdict":
            ring = Outline(
                circle(x, y, RADIUS - 1), palette.OPEN, 1.4, palette.PAPER, (2.2, 2.2), closed=True
            )
            return (ring, _glyph((x - 2.8, y), (x + 2.8, y), colour=palette.OPEN))
    return (Outline(frame, palette.FORCED, 1.4, closed=True), *sign) if forced else sign


def _glyph(*points: tuple[float, float], colour: str = palette.PAPER) -> Outline:
    return Outline(points, colour, GLYPH_WIDTH)
