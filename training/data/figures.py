"""Figures as SVG: how each is written, and the histograms of the measures of a run's searches."""

import bisect
import math
from collections import Counter
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib import rcParams

from steiner.training.data.statistics import Measured

COLOURS = {"countdown": "#0b6e99", "routes": "#c2541b", "knights": "#4a7c2f"}
"""Of the families, in every figure."""
MOST_EVEN_BARS = 40
"""From `EVEN_UNTIL` on, bars widen by `WIDENING`, on a logarithmic axis, because few searches are long."""
EVEN_UNTIL = 10
WIDENING = 1.2
LABELS = {"depth": "depth, steps", "nodes": "states"}
# Without this, element ids are random, and the same figures would not give the same file.
rcParams["svg.hashsalt"] = "steiner"


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure and close it; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if figure.get_layout_engine() is None:
        figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plot_histograms(measured: Measured, path: Path) -> None:
    """Share of each family's records over each measure; SVG."""
    names = list(measured.values)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.8 * columns, 2.8 * rows), squeeze=False)
    for axes, name in zip(grid.flat, names, strict=True):
        _draw(axes, name, {family: measured.of_family(name, family) for family in measured.families})
    for row in grid:
        row[0].set_ylabel("share of the records, %")
    grid[0][0].legend(fontsize=8)
    save_figure(figure, path)


def bar_edges(longest: int) -> list[float]:
    """Where bars begin, and where the last one ends, each half-way between two whole numbers."""
    begins = [0]
    while begins[-1] <= longest:
        last = begins[-1]
        even = longest <= MOST_EVEN_BARS or last < EVEN_UNTIL
        begins.append(last + 1 if even else math.ceil(last * WIDENING))
    return [begin - 0.5 for begin in begins]


def _draw(axes: Any, name: str, families: dict[str, Counter[int]]) -> None:
    longest = max(max(values) for values in families.values())
    edges = bar_edges(longest)
    for family, values in families.items():
        heights = [0.0] * (len(edges) - 1)
        for value, count in values.items():
            heights[bisect.bisect(edges, value) - 1] += 100 * count / values.total()
        axes.stairs(heights, edges, color=COLOURS.get(family), label=family)
    if longest > MOST_EVEN_BARS:
        axes.set_xscale("symlog", linthresh=EVEN_UNTIL)
        ticks = [0, 5, *(10**power for power in range(1, len(str(longest))))]
        axes.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
    axes.set(xlabel=LABELS.get(name, name))
    axes.grid(alpha=0.3)
