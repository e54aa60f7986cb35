"""What the reward's parts do: outcome alone, steps alone, both, from the same fine-tuned weights with several seeds.

    python -m steiner.training.rl.ablation training/recipes/tiny.yaml --seeds 1 2 3

Each run leaves its log in a folder of its own beside the recipe's rl stage; runs that are finished are not done again,
and those that were stopped go on.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steiner.training.config import Recipe, ReinforcementStage, load_recipe
from steiner.training.data.workers import worker_processes

VARIANTS: dict[str, dict[str, float]] = {
    "outcome": {"step_weight": 0.0},
    "steps": {"outcome_weight": 0.0},
    "both": {},
}
"""Fields that a variant changes in the recipe's rl stage."""
EDGE = 4
"""Updates averaged at the start and at the end of a run: single updates are noisy."""
FIGURES = (
    "accuracy", "well_formed", "distinct_states", "backtracks", "steps_over_optimum", "steps",
    "right_verdicts_per_step", "repeats_per_step", "completion_tokens",
)  # fmt: skip


def run_variant(recipe: Recipe, variant: str, seed: int) -> Path:
    """One run from the recipe's fine-tuned weights; returns its log, a JSON line an update."""
    import torch

    from steiner.training.checkpoint import load_checkpoint, save_checkpoint
    from steiner.training.rl.train import reinforce
    from steiner.training.stages import stage_model

    folder = recipe.output / "ablation" / f"{variant}-{seed}"
    if not (folder / "model").exists():
        torch.set_num_threads(recipe.threads)
        model, tokenizer = load_checkpoint(stage_model(recipe, "sft"))
        changed = recipe.model_copy(update={"rl": variant_stage(recipe, variant, seed)})
        reinforce(model, tokenizer, changed, folder)
        save_checkpoint(model, tokenizer, folder / "model")
    return folder / "log.jsonl"


@dataclass(frozen=True, slots=True)
class _Run:
    """`run_variant`, to be sent to another process."""

    recipe: Recipe

    def __call__(self, run: tuple[str, int]) -> Path:
        return run_variant(self.recipe, *run)


def variant_stage(recipe: Recipe, variant: str, seed: int) -> ReinforcementStage:
    """The recipe's rl stage with what the variant changes.

    Raises:
        ValueError: the recipe has no rl stage.
    """
    if recipe.rl is None:
        raise ValueError("The recipe has no rl stage to vary; give it one.")
    return recipe.rl.model_copy(update={**VARIANTS[variant], "seed": seed})


def summarise(logs: dict[str, list[list[dict[str, Any]]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean over seeds and their standard deviation, of the last updates, and the change since the first ones.

    Args:
        logs: by variant, for each seed the records of its updates.

    Returns:
        By variant and figure: `end`, `spread` of the end between seeds, and `change`.
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    for variant, runs in logs.items():
        table[variant] = {}
        for name in FIGURES:
            first = [statistics.fmean(r[name] for r in run[:EDGE]) for run in runs]
            last = [statistics.fmean(r[name] for r in run[-EDGE:]) for run in runs]
            table[variant][name] = {
                "end": round(statistics.fmean(last), 4),
                "spread": round(statistics.stdev(last), 4) if len(last) > 1 else 0.0,
                "change": round(statistics.fmean(last) - statistics.fmean(first), 4),
            }
    return table


def markdown(table: dict[str, dict[str, dict[str, float]]]) -> str:
    """The summary as a table: end ± spread (change)."""
    lines = [f"| | {' | '.join(table)} |", "|---" * (len(table) + 1) + "|"]
    for name in FIGURES:
        cells = [
            f"{figures[name]['end']:.3f} ± {figures[name]['spread']:.3f} ({figures[name]['change']:+.3f})"
            for figures in table.values()
        ]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every variant with every seed, and write `ablation/summary.json` and `summary.md`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--workers", type=int, default=1, help="runs side by side (default: 1)")
    options = parser.parse_args(arguments)
    recipe = load_recipe(options.recipe)
    runs = [(variant, seed) for seed in options.seeds for variant in VARIANTS]
    logs: dict[str, list[list[dict[str, Any]]]] = {variant: [] for variant in VARIANTS}
    with worker_processes(options.workers) as map_in_order:
        paths = map_in_order(_Run(recipe), runs)
        for (variant, _), path in zip(runs, paths, strict=True):
            lines = path.read_text(encoding="utf-8").splitlines()
            logs[variant].append([json.loads(line) for line in lines])
    table = summarise(logs)
    folder = recipe.output / "ablation"
    (folder / "summary.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(markdown(table), encoding="utf-8")
    print(markdown(table))


if __name__ == "__main__":
    main()
