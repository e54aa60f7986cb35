"""The curves that people would rather look at: accuracy over the reasoning budget, and the losses of a run."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib import rcParams

COLOURS = {"countdown": "#0b6e99", "routes": "#c2541b", "knights": "#4a7c2f"}
LINES = {"direct": ":", "forward": "--"}
LAST_NAMED = 12
TOKEN_TICKS = (25, 50, 100, 200, 400)
# Element ids are drawn at random otherwise, and the same figures would not give the same file.
rcParams["svg.hashsalt"] = "steiner"
STAGES = {"cpt": "continual pre-training", "sft": "fine-tuning"}


def plot_budgets(report: dict[str, Any], baselines: Sequence[dict[str, Any]], path: Path) -> None:
    """Accuracy over the mean reasoning tokens really used, one point a limit on steps; SVG.

    Args:
        report: of a search model, with `budgets`.
        baselines: of models that do not search, drawn as level lines.
    """
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for family, colour in COLOURS.items():
        points = [(at[family], at["max_steps"]) for at in report["budgets"]]
        tokens = [score["mean_reasoning_tokens"] for score, _ in points]
        shares = [100 * score["accuracy"] for score, _ in points]
        errors = [100 * score["accuracy_error"] for score, _ in points]
        axes.errorbar(tokens, shares, yerr=errors, marker="o", capsize=2, color=colour, label=family)
        for token, share, (_, steps) in zip(tokens, shares, points, strict=True):
            if steps > LAST_NAMED:
                # Beyond, the points lie on each other.
                continue
            axes.annotate(str(steps), (token, share), textcoords="offset points", xytext=(4, -11), fontsize=7)
        for baseline in baselines:
            level, style = 100 * baseline["families"][family]["accuracy"], baseline["options"]["style"]
            axes.axhline(level, color=colour, linestyle=LINES[style], label=f"{family}, {style}")
    axes.set(xscale="log", xlabel="mean reasoning tokens (the number at a point is the limit on steps)")
    axes.set(ylabel="held-out problems solved, %", ylim=(0, 102))
    axes.set_xticks(TOKEN_TICKS, labels=map(str, TOKEN_TICKS))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=7)
    save_figure(figure, path)


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
            steps = [record["step"] for record in records]
            for name in ("accuracy", "reward"):
                axes.plot(steps, [record[name] for record in records], label=name)
            axes.set(title="reinforcement learning", xlabel="updates")
            axes.legend(fontsize=8)
        else:
            losses = [(record["step"], record["loss"]) for record in records if "loss" in record]
            axes.plot(*zip(*sorted(dict(losses).items()), strict=True))
            axes.set(title=STAGES[stage], xlabel="updates", ylabel="loss, nats a token", yscale="log")
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure and forget it; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(
            "Usage: python -m steiner.training.evals.plots RUN REPORT [BASELINE_REPORT ...] OUTPUT_FOLDER"
        )
    run, report, *baselines, output = map(Path, sys.argv[1:])
    plot_budgets(
        json.loads(report.read_text()), [json.loads(b.read_text()) for b in baselines], output / "budget.svg"
    )
    plot_training(run, output / "training.svg")
