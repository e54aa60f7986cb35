"""The reward's parts, one left out at a time: what varies, and how runs are summed up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.recipe import Recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.model.checkpoint import save_checkpoint
from steiner.training.pipeline.ablation import (
    FIGURES,
    MODES,
    VARIANTS,
    Ablation,
    Measured,
    markdown,
    run_all,
    run_folder,
    summarise,
    variant_stage,
    with_stage,
    write_summary,
)
from steiner.training.pipeline.plots import PANELS, running_mean
from steiner.training.pipeline.stages import stage_model
from steiner.training.rl.measure import held_out_records


def figures(value: float) -> Measured:
    return {mode: dict.fromkeys(FIGURES, value) for mode in MODES}


def test_each_variant_leaves_one_part_out(recipe_of: Callable[..., Recipe]) -> None:
    recipe = recipe_of(rl=ReinforcementStage(steps=3, step_weight=0.3))
    varied = {name: variant_stage(recipe, name, 7) for name in VARIANTS}
    assert {n: (s.steps, s.outcome_weight, s.step_weight) for n, s in varied.items()} == {
        "sft": (0, 1.0, 0.3),
        "outcome": (3, 1.0, 0.0),
        "steps": (3, 0.0, 0.3),
        "both": (3, 1.0, 0.3),
    }
    assert {stage.seed for stage in varied.values()} == {7}


def test_a_recipe_without_reinforcement_has_nothing_to_vary(recipe_of: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match="no rl stage"):
        variant_stage(recipe_of(), "both", 1)


def test_other_values_may_be_set_by_name(recipe_of: Callable[..., Recipe]) -> None:
    recipe = recipe_of(rl=ReinforcementStage(steps=3))
    changed = with_stage(recipe, ["steps=5", "sizes={routes: [3]}"])
    assert changed.rl is not None
    assert (changed.rl.steps, changed.rl.sizes) == (5, {"routes": [3]})
    assert with_stage(recipe, []) == recipe
    for wrong in ("speed=2", "steps=fast", "sizes={routes: [9]}"):
        with pytest.raises(ValueError, match=wrong.split("=")[0]):
            with_stage(recipe, [wrong])


def test_the_summary_is_the_mean_over_seeds_with_their_spread() -> None:
    summary = summarise({"sft": [figures(0.7)], "both": [figures(0.8), figures(0.9)]})
    assert summary["greedy"]["both"]["accuracy"] == {"mean": 0.85, "spread": 0.0707}
    assert summary["sampled"]["sft"]["steps"] == {"mean": 0.7, "spread": 0.0}
    shown = markdown(summary)
    assert shown.startswith("| greedy | sft | both |\n|---|---|---|\n")
    assert shown.count("| steps over optimum | 0.700 | 0.850 ± 0.071 |") == len(MODES)


def test_summary_and_curves_are_written_from_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = {variant: [figures(0.5), figures(0.7)] for variant in VARIANTS}
    for variant in VARIANTS:
        for seed in (1, 2):
            folder = tmp_path / f"{variant}-{seed}"
            folder.mkdir()
            updates = [{"step": n, **dict.fromkeys(PANELS, 0.1 * n * seed)} for n in range(1, 5)]
            # The trainer's last record tells of the whole run.
            lines = [*updates, {"step": 4, "train_runtime": 1.0}]
            (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    write_summary(tmp_path, measured, [1, 2])
    assert json.loads((tmp_path / "summary.json").read_text()) == summarise(measured)
    assert (tmp_path / "summary.md").read_text() + "\n" == capsys.readouterr().out
    first = (tmp_path / "ablation.svg").read_bytes()
    assert b"<svg" in first
    write_summary(tmp_path, measured, [1, 2])
    assert (tmp_path / "ablation.svg").read_bytes() == first


def test_the_running_mean_looks_back_only() -> None:
    assert running_mean([1.0, 3.0, 2.0, 2.0, 2.0, 8.0]) == pytest.approx([1.0, 2.0, 2.0, 2.0, 2.0, 3.4])


def test_a_run_starts_from_the_fine_tuned_weights_and_is_measured_on_what_is_held_out(
    recipe: Recipe,
    words: PreTrainedTokenizerFast,
    new_policy: Callable[[], Qwen2ForCausalLM],
    new_sampler: Callable[[], Any],
) -> None:
    save_checkpoint(new_policy(), words, stage_model(recipe, "sft"))
    held_out = held_out_records(recipe, variant_stage(recipe, "steps", 3), 2, seed=5)
    sampler = new_sampler()
    sampler.problems += held_out
    ablation = Ablation(recipe, held_out, sampler)
    measured = []
    for variant in ("sft", "steps"):
        ablation.run(variant, seed=3)
        folder = run_folder(recipe, variant, 3)
        measured.append(json.loads((folder / "measured.json").read_text()))
        assert same_weights(folder / "model", stage_model(recipe, "sft")) == (variant == "sft")
    # The scripted sampler answers by its seeds alone: the same ones for both.
    assert measured[0] == measured[1]
    assert set(measured[0]) == set(MODES)
    assert set(measured[0]["greedy"]) >= set(FIGURES)
    updates = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in updates if "accuracy" in record] == [1, 2, 3, 4]
    assert [len(batch) for batch in sampler.asked[-2:]] == [len(held_out), 2 * len(held_out)]


def same_weights(one: Path, two: Path) -> bool:
    return (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()


def test_runs_that_are_done_need_no_engine(recipe: Recipe) -> None:
    folder = run_folder(recipe, "both", 1)
    folder.mkdir(parents=True)
    (folder / "measured.json").write_text(json.dumps(figures(0.5)))
    run_all(recipe, [("both", 1)], held_out=2)
    assert [path.name for path in folder.iterdir()] == ["measured.json"]
