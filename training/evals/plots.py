"""Figures of an evaluation as curves: accuracy over the budget, and over parallel samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from steiner.training.data.figures import COLOURS, save_figure

STYLE_COLOURS = {"search": "#0b6e99", "forward": "#8a5a9e", "direct": "#c2541b"}
LEVELS = {"direct": ":", "forward": "-."}
LAST_NAMED = 12
TOKEN_TICKS = (25, 50, 100, 200, 400)
SAMPLE_TICKS = (10, 30, 100, 300, 1000)


def plot_budgets(report: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Accuracy over the mean reasoning tokens really used: a point for each limit, a panel for each family; SVG.

    Args:
        report: with `budgets`, by the model's own verdicts, and `verified_budgets`, by the exact verifier's.
        baselines: reports of models that do not search, by style; drawn as level lines.
    """
    figure, panels = plt.subplots(1, len(COLOURS), figsize=(11, 4), sharey=True)
    for axes, (family, colour) in zip(panels, COLOURS.items(), strict=True):
        curves = {
            "own verdicts": (report["budgets"], "-", "o"),
            "exact verifier": (report["verified_budgets"], "--", "s"),
        }
        for label, (rows, line, marker) in curves.items():
            scores = [row[family] for row in rows]
            tokens = [score["mean_reasoning_tokens"] for score in scores]
            _intervals(axes, tokens, scores, "accuracy", line=line, marker=marker, colour=colour, label=label)
            if line == "-":
                _name_points(axes, tokens, scores, [row["max_steps"] for row in rows])
        for style, baseline in baselines.items():
            level = 100 * baseline["families"][family]["accuracy"]
            axes.axhline(level, color="#555555", linestyle=LEVELS[style], label=f"{style} model")
        axes.set(title=family, xscale="log", xlabel="mean reasoning tokens", ylim=(0, 103))
        axes.set_xticks(TOKEN_TICKS, labels=map(str, TOKEN_TICKS))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("held-out problems solved, %")
    panels[0].legend(loc="lower right", fontsize=7)
    save_figure(figure, path)


def plot_best_of(report: Mapping[str, Any], path: Path) -> None:
    """Accuracy over completion tokens: one search, and parallel samples by majority and by an oracle; SVG.

    Args:
        report: what `best_of_report` makes.
    """
    figure, panels = plt.subplots(
        1, len(report), figsize=(11, 4.4), sharey=True, squeeze=False, layout="constrained"
    )
    names = {"search, sampled": "search", "forward": "forward", "direct": "direct"}
    for axes, (family, told) in zip(panels[0], report.items(), strict=True):
        for name, style in names.items():
            if name not in told:
                continue
            tokens = [point["mean_completion_tokens"] for point in told[name]]
            for chosen, line in (("majority", "-"), ("any", "--")):
                label = f"{style}, {'majority' if chosen == 'majority' else 'any right (oracle)'}"
                marks = {"line": line, "marker": ".", "colour": STYLE_COLOURS[style], "label": label}
                _intervals(axes, tokens, told[name], chosen, **marks)
        once = told["search"]
        marks = {"line": "", "marker": "*", "colour": "black", "label": "one greedy search"}
        _intervals(axes, [once["mean_completion_tokens"]], [once], "accuracy", **marks)
        axes.set(title=family, xscale="log", xlabel="completion tokens a problem", ylim=(0, 103))
        axes.set_xticks(SAMPLE_TICKS, labels=map(str, SAMPLE_TICKS))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("held-out problems solved, %")
    # Below the panels: inside it would hide points of one.
    lines, labels = panels[0][-1].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=4, fontsize=8)
    save_figure(figure, path)


def _intervals(
    axes: Any,
    tokens: Sequence[float],
    scores: Sequence[Mapping[str, float]],
    name: str,
    *,
    line: str,
    marker: str,
    colour: str,
    label: str,
) -> None:
    """A curve with its 95 % intervals, in per cent."""
    shares = [100 * score[name] for score in scores]
    # Rounding may put an end of the interval slightly on the wrong side of the share.
    below = [
        max(0.0, share - 100 * score[f"{name}_low"]) for share, score in zip(shares, scores, strict=True)
    ]
    above = [
        max(0.0, 100 * score[f"{name}_high"] - share) for share, score in zip(shares, scores, strict=True)
    ]
    axes.errorbar(
        tokens,
        shares,
        yerr=[below, above],
        linestyle=line,
        marker=marker,
        color=colour,
        label=label,
        capsize=2,
        lw=1.2,
    )


def _name_points(
    axes: Any, tokens: Sequence[float], scores: Sequence[Mapping[str, float]], limits: Sequence[int]
) -> None:
    for token, score, limit in zip(tokens, scores, limits, strict=True):
        if limit > LAST_NAMED:
            # Beyond this, the points overlap.
            continue
        place = {"textcoords": "offset points", "xytext": (4, -11), "fontsize": 7}
        axes.annotate(str(limit), (token, 100 * score["accuracy"]), **place)
