"""How the variants' searches change over the updates: exploration and exploitation, mean and range over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from steiner.training.plots import save_figure

COLOURS = {"outcome": "#0b6e99", "steps": "#c2541b", "both": "#4a7c2f"}
PANELS = {
    "accuracy": "accuracy of rollouts",
    "distinct_states": "distinct states a search",
    "backtracks_per_step": "backtracks a step",
    "steps_over_optimum": "steps over the optimum",
}
WINDOW = 5
"""Updates averaged for each point, because each update draws other problems."""


def plot_ablation(logs: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], path: Path) -> None:
    """A panel for each figure, with a line for each variant; SVG.

    Args:
        logs: by variant, for each seed the records of its updates.
    """
    figure, row = plt.subplots(1, len(PANELS), figsize=(3.2 * len(PANELS), 3.1))
    for axes, (name, title) in zip(row, PANELS.items(), strict=True):
        for variant, runs in logs.items():
            smooth = [running_mean([float(record[name]) for record in run]) for run in runs]
            updates = range(1, 1 + min(map(len, smooth)))
            columns = list(zip(*smooth, strict=False))
            colour = COLOURS[variant]
            axes.plot(updates, [sum(c) / len(c) for c in columns], color=colour, label=variant)
            axes.fill_between(
                updates, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.15
            )
        axes.set(title=title, xlabel="updates")
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
    row[0].legend(fontsize=8)
    save_figure(figure, path)


def running_mean(values: Sequence[float]) -> list[float]:
    """Each value averaged with those before it, at most `WINDOW` in all."""
    windows = (values[max(0, end - WINDOW) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]
