"""A picture as PNG, drawn by matplotlib, which the extra `train` brings."""

import warnings
from pathlib import Path
from typing import Any

from steiner.picture.shapes import Label, Outline, Picture
from steiner.picture.text_fit import visible
from steiner.reasoning.errors import SteinerError

PIXELS_PER_UNIT = 2.0
#: Longest side in pixels. Beyond it viewers give up; the Agg renderer does so at 65,536.
MAX_PIXELS = 16_000
DOTS_PER_INCH = 100
POINTS_PER_INCH = 72
#: The same words are narrower in Arial than in DejaVu Sans, which matplotlib has; text is made to match.
FONT_SCALE = 0.92
ALIGNED = {"start": "left", "middle": "center", "end": "right"}


class NoPngWriterError(SteinerError):
    """PNG needs a package that is not installed."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"cannot draw {path}: PNG needs matplotlib, which is not installed. Install Steiner with the extra "
            f"`train`, or `pip install matplotlib`, or write {path.with_suffix('.svg')}, which needs nothing."
        )


def save_png(picture: Picture, path: Path) -> None:
    """Draw and save, at two pixels for each unit, or fewer to keep the longest side within MAX_PIXELS.

    Raises:
        NoPngWriterError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoPngWriterError(path) from error
    scale = min(PIXELS_PER_UNIT, MAX_PIXELS / max(picture.width, picture.height))
    figure = Figure(
        figsize=(picture.width * scale / DOTS_PER_INCH, picture.height * scale / DOTS_PER_INCH),
        dpi=DOTS_PER_INCH,
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    points = scale * POINTS_PER_INCH / DOTS_PER_INCH
    order = 0
    for group in picture.groups:
        for shape in group.shapes:
            order += 1
            if isinstance(shape, Outline):
                axes.add_patch(_patch(shape, points, order))
            else:
                _write(axes, shape, points, order)
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes; the SVG has the text itself.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(path, format="png", metadata={"Title": visible(picture.title), "Software": "steiner"})


def _patch(outline: Outline, points: float, order: int) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    vertices: list[tuple[float, float]] = []
    codes: list[int] = []
    for index, segment in enumerate(outline.segments):
        pairs = list(zip(segment[::2], segment[1::2], strict=True))
        vertices += pairs
        codes += [Curve.MOVETO if index == 0 else Curve.CURVE4 if len(pairs) == 3 else Curve.LINETO] * len(
            pairs
        )
    if outline.closed:
        vertices.append(vertices[0])
        codes.append(Curve.CLOSEPOLY)
    return PathPatch(
        Curve(vertices, codes),
        facecolor=outline.fill or "none",
        edgecolor=outline.stroke or "none",
        linewidth=outline.width * points if outline.stroke else 0,
        # matplotlib measures dashes in line widths.
        linestyle=(0, tuple(length / outline.width for length in outline.dash)) if outline.dash else "solid",
        capstyle="butt" if outline.dash else "round",
        joinstyle="round",
        zorder=order,
    )


def _write(axes: Any, label: Label, points: float, order: int) -> None:
    axes.text(
        label.x,
        label.y,
        visible(label.text),
        fontsize=label.size * points * FONT_SCALE,
        color=label.colour,
        weight="bold" if label.bold else "normal",
        style="italic" if label.italic else "normal",
        horizontalalignment=ALIGNED[label.anchor],
        verticalalignment="baseline",
        family="DejaVu Sans",
        # A dollar sign is not the start of a formula.
        parse_math=False,
        zorder=order,
    )
