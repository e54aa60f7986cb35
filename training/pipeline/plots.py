"""Figures of a run over its updates: losses and rewards of the stages, and how the ablation's searches change."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from steiner.training.data.figures import save_figure

STAGES = {"cpt": "continual pre-training", "sft": "fine-tuning"}
VARIANT_COLOURS = {"outcome": "#0b6e99", "steps": "#c2541b", "both": "#4a7c2f"}
PANELS = {
    "accuracy": "accuracy of rollouts",
    "distinct_states": "distinct states a search",
    "backtracks_per_step": "backtracks a step",
    "steps_over_optimum": "steps over the optimum",
}
WINDOW = 5
"""Updates averaged for each point, because each update draws other problems."""


def plot_training(run: Path, path: Path) -> None:
    """Loss of the supervised stages over their steps, accuracy and reward of the last; SVG.

    Args:
        run: the output folder of a recipe.
    """
    stages = [stage for stage in ("cpt", "sft", "rl") if (run / stage / "log.jsonl").exists()]
    figure, row = plt.subplots(1, len(stages), figsize=(3.6 * len(stages), 3.2), squeeze=False)
    for axes, stage in zip(row[0], stages, strict=True):
        records = [json.loads(line) for line in (run / stage / "log.jsonl").read_text().splitlines()]
        if stage == "rl":
            updates = [record for record in records if "accuracy" in record]
            steps = [record["step"] for record in updates]
            for name in ("accuracy", "reward"):
                axes.plot(steps, [record[name] for record in updates], label=name)
            axes.set(title="reinforcement learning", xlabel="updates")
            axes.legend(fontsize=8)
        else:
            losses = [(record["step"], record["loss"]) for record in records if "loss" in record]
            axes.plot(*zip(*sorted(dict(losses).items()), strict=True))
            axes.set(title=STAGES[stage], xlabel="updates", ylabel="loss, nats a token", yscale="log")
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def plot_ablation(logs: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], path: Path) -> None:
    """How the searches explore and exploit: a panel for each figure, mean and range over seeds for each variant; SVG.

    Args:
        logs: by variant, for each seed the records of its updates.
    """
    figure, row = plt.subplots(1, len(PANELS), figsize=(3.2 * len(PANELS), 3.1))
    for axes, (name, title) in zip(row, PANELS.items(), strict=True):
        for variant, runs in logs.items():
            smooth = [running_mean([float(record[name]) for record in run]) for run in runs]
            updates = range(1, 1 + min(map(len, smooth)))
            columns = list(zip(*smooth, strict=False))
            colour = VARIANT_COLOURS[variant]
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


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Usage: python -m steiner.training.pipeline.plots RUN OUTPUT.svg")
    plot_training(Path(sys.argv[1]), Path(sys.argv[2]))
