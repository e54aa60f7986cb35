"""What the reward's parts do: outcome alone, steps alone, both, from the same fine-tuned weights with several seeds.

    python -m steiner.training.pipeline.ablation training/recipes/tiny.yaml --seeds 1 2 3

Each run leaves its log and its held-out figures in its own folder next to the recipe's rl stage. Runs that are
finished are not done again, and those that were stopped go on.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.progress import track

from steiner.training.config.files import write_whole
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import ProblemRecord
from steiner.training.model.checkpoint import load_checkpoint, save_checkpoint
from steiner.training.pipeline.plots import plot_ablation
from steiner.training.pipeline.stages import stage_model
from steiner.training.rl.draw import drawn_problems
from steiner.training.rl.engine import Sampler
from steiner.training.rl.measure import held_out_records, measure
from steiner.training.rl.policy import write_weights
from steiner.training.rl.train import reinforce, start_engine

BEFORE = "sft"
VARIANTS: dict[str, dict[str, float]] = {
    BEFORE: {"steps": 0},
    "outcome": {"step_weight": 0.0},
    "steps": {"outcome_weight": 0.0},
    "both": {},
}
"""Fields that a variant changes in the recipe's rl stage; the first is the weights that the others start from."""
MODES: dict[str, tuple[float, int]] = {"greedy": (0.0, 1), "sampled": (1.0, 2)}
"""Temperature, and searches for each problem."""
MEASURED = "measured.json"
FIGURES = (
    "accuracy", "well_formed", "distinct_states", "backtracks_per_step", "steps_over_optimum", "steps",
    "right_verdicts_per_step", "repeats_per_step", "unsound_per_step", "completion_tokens",
)  # fmt: skip

Measured = Mapping[str, Mapping[str, float]]
"""Figures by mode."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What all runs share.

    Attributes:
        held_out: problems that every run is measured on.
        engine: samples for one run after the other.
    """

    recipe: Recipe
    held_out: list[ProblemRecord]
    engine: Sampler

    def run(self, variant: str, seed: int) -> None:
        """Train from the recipe's fine-tuned weights, and measure on the held-out problems. Finished parts are kept."""
        stage = variant_stage(self.recipe, variant, seed)
        folder = run_folder(self.recipe, variant, seed)
        model, tokenizer = load_checkpoint(stage_model(self.recipe, BEFORE))
        if not (folder / "model").exists():
            changed = self.recipe.model_copy(update={"rl": stage})
            save_checkpoint(
                reinforce(model, tokenizer, changed, folder, self.engine), tokenizer, folder / "model"
            )
        model, _ = load_checkpoint(folder / "model")
        write_weights(model, model.state_dict(), folder / "policy")
        self.engine.load(folder / "policy")
        measured = {
            mode: measure(
                self.engine,
                tokenizer,
                self.held_out,
                stage,
                temperature=temperature,
                samples=samples,
                seed=self.recipe.seed,
            )
            for mode, (temperature, samples) in MODES.items()
        }
        write_whole(folder / MEASURED, json.dumps(measured, indent=2) + "\n")


def run_all(recipe: Recipe, runs: Sequence[tuple[str, int]], held_out: int) -> None:
    """Do the remaining runs, with one engine.

    Args:
        runs: variants with seeds.
        held_out: problems of each family to measure on.
    """
    waiting = [run for run in runs if not (run_folder(recipe, *run) / MEASURED).exists()]
    if not waiting:
        return
    torch.set_num_threads(recipe.threads)
    stage = variant_stage(recipe, *waiting[0])
    asked = held_out_records(recipe, stage, held_out, recipe.seed)
    problems = [*drawn_problems(recipe.output / "data", stage), *asked]
    model, tokenizer = load_checkpoint(stage_model(recipe, BEFORE))
    folder = recipe.output / "ablation" / "policy"
    with closing(start_engine(model, folder, tokenizer, problems, stage, recipe.seed)) as engine:
        ablation = Ablation(recipe, asked, engine)
        for variant, seed in track(waiting, description="ablation"):
            ablation.run(variant, seed)


def run_folder(recipe: Recipe, variant: str, seed: int) -> Path:
    """Where a run leaves its log, its weights and its figures."""
    return recipe.output / "ablation" / f"{variant}-{seed}"


def with_stage(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with other values in its rl section, each as `name=value`.

    Raises:
        ValueError: the recipe has no rl section.
        ValidationError: a name is unknown, or its value is not allowed.
    """
    if recipe.rl is None:
        raise ValueError("The recipe has no rl stage to vary; give it one.")
    changes = {name: yaml.safe_load(value) for name, _, value in (item.partition("=") for item in settings)}
    stage = ReinforcementStage.model_validate(recipe.rl.model_dump() | changes)
    return Recipe.model_validate(recipe.model_dump() | {"rl": stage.model_dump()})


def variant_stage(recipe: Recipe, variant: str, seed: int) -> ReinforcementStage:
    """The recipe's rl stage with what the variant changes.

    Raises:
        ValueError: the recipe has no rl stage.
    """
    if recipe.rl is None:
        raise ValueError("The recipe has no rl stage to vary; give it one.")
    return recipe.rl.model_copy(update={**VARIANTS[variant], "seed": seed})


def summarise(
    measured: Mapping[str, Sequence[Measured]],
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Mean over seeds and their standard deviation.

    Args:
        measured: by variant, the figures of each seed.

    Returns:
        By mode, variant and figure: `mean` and `spread`, which is 0 if there is one seed.
    """
    return {
        mode: {
            variant: {name: _mean([run[mode][name] for run in runs]) for name in FIGURES}
            for variant, runs in measured.items()
        }
        for mode in MODES
    }


def _mean(values: Sequence[float]) -> dict[str, float]:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.fmean(values), 4), "spread": round(spread, 4)}


def markdown(summary: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> str:
    """The summary as one table for each mode, with a column for each variant: mean ± standard deviation over seeds."""
    parts = []
    for mode, table in summary.items():
        lines = [f"| {mode} | {' | '.join(table)} |", "|---" * (len(table) + 1) + "|"]
        for name in FIGURES:
            cells = [_cell(figures[name], variant) for variant, figures in table.items()]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(figure: Mapping[str, float], variant: str) -> str:
    spread = "" if variant == BEFORE else f" ± {figure['spread']:.3f}"
    return f"{figure['mean']:.3f}{spread}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every variant with every seed; write `ablation/summary.json`, `summary.md` and `ablation.svg`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--held-out", type=int, default=100, help="problems of each family (default: 100)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="another value of the recipe's rl section, as YAML; may be repeated",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    recipe = with_stage(load_recipe(options.recipe), options.set)
    # All seeds start from the same weights.
    runs = [(BEFORE, options.seeds[0])]
    runs += [(variant, seed) for seed in options.seeds for variant in VARIANTS if variant != BEFORE]
    run_all(recipe, runs, options.held_out)
    measured: dict[str, list[Measured]] = {variant: [] for variant in VARIANTS}
    for variant, seed in runs:
        told = (run_folder(recipe, variant, seed) / MEASURED).read_text(encoding="utf-8")
        measured[variant].append(json.loads(told))
    write_summary(recipe.output / "ablation", measured, options.seeds)


def write_summary(folder: Path, measured: Mapping[str, Sequence[Measured]], seeds: Sequence[int]) -> None:
    """Write the tables, print them, and draw the curves."""
    summary = summarise(measured)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(markdown(summary), encoding="utf-8")
    logs = {
        variant: [_updates(folder / f"{variant}-{seed}" / "log.jsonl") for seed in seeds]
        for variant in VARIANTS
        if variant != BEFORE
    }
    plot_ablation(logs, folder / "ablation.svg")
    print(markdown(summary))


def _updates(path: Path) -> list[dict[str, Any]]:
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [record for record in records if "accuracy" in record]


if __name__ == "__main__":
    main()
