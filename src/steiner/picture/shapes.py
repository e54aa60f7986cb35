"""The few shapes that a picture consists of; x to the right, y down, in pixels."""

from dataclasses import dataclass
from typing import Literal

#: A move (the first one) or a line to (x, y), or a cubic curve to the last of three points (x1, y1, x2, y2, x, y).
Segment = tuple[float, ...]
Anchor = Literal["start", "middle", "end"]
#: Control points of a quarter of a circle, in radii from its ends.
QUARTER = 0.5523


@dataclass(frozen=True, slots=True)
class Outline:
    """A line or an area.

    Attributes:
        segments: the path.
        stroke: colour of the line, "" for none; `fill` alike.
        dash: lengths of a dash and of the gap after it; () for a solid line.
    """

    segments: tuple[Segment, ...]
    stroke: str = ""
    width: float = 1.0
    fill: str = ""
    dash: tuple[float, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; y is its baseline."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool = False
    italic: bool = False
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that belong together, with a text that appears when a reader points at them.

    Attributes:
        data: names and values for programs that read the picture.
    """

    shapes: tuple[Outline | Label, ...]
    hint: str = ""
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Groups in the order in which they are drawn.

    Attributes:
        title: what the picture shows, for readers who cannot see it and for lists of files; `description` says more.
    """

    width: float
    height: float
    groups: tuple[Group, ...]
    title: str
    description: str


def rounded(x: float, y: float, width: float, height: float, radius: float) -> tuple[Segment, ...]:
    """Path of a rectangle with round corners; a circle if the radius is half of both sides."""
    right, bottom, r = x + width, y + height, min(radius, width / 2, height / 2)
    k = r * (1 - QUARTER)
    return (
        (x + r, y),
        (right - r, y),
        (right - k, y, right, y + k, right, y + r),
        (right, bottom - r),
        (right, bottom - k, right - k, bottom, right - r, bottom),
        (x + r, bottom),
        (x + k, bottom, x, bottom - k, x, bottom - r),
        (x, y + r),
        (x, y + k, x + k, y, x + r, y),
    )


def bevelled(x: float, y: float, width: float, height: float, cut: float) -> tuple[Segment, ...]:
    """Path of a rectangle with its corners cut off."""
    right, bottom = x + width, y + height
    return (
        (x + cut, y),
        (right - cut, y),
        (right, y + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (x + cut, bottom),
        (x, bottom - cut),
        (x, y + cut),
    )


def circle(x: float, y: float, radius: float) -> tuple[Segment, ...]:
    """Path of a circle around (x, y)."""
    return rounded(x - radius, y - radius, 2 * radius, 2 * radius, radius)
