"""The reward's parts, one left out at a time: what varies, and how runs are summed up."""

from collections.abc import Callable
from typing import Any

import pytest

from steiner.training.config import Recipe, ReinforcementStage
from steiner.training.rl.ablation import EDGE, FIGURES, VARIANTS, markdown, summarise, variant_stage


def log(first: float, last: float) -> list[dict[str, Any]]:
    return [dict.fromkeys(FIGURES, first)] * EDGE + [dict.fromkeys(FIGURES, last)] * EDGE


def test_each_variant_leaves_one_part_out(recipe_of: Callable[..., Recipe]) -> None:
    recipe = recipe_of(rl=ReinforcementStage(steps=3, step_weight=0.3))
    weights = {name: variant_stage(recipe, name, 7) for name in VARIANTS}
    assert {n: (s.outcome_weight, s.step_weight) for n, s in weights.items()} == {
        "outcome": (1.0, 0.0),
        "steps": (0.0, 0.3),
        "both": (1.0, 0.3),
    }
    assert {stage.seed for stage in weights.values()} == {7}


def test_a_recipe_without_reinforcement_has_nothing_to_vary(recipe_of: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match="no rl stage"):
        variant_stage(recipe_of(), "both", 1)


def test_the_end_is_the_mean_over_seeds_with_their_spread() -> None:
    table = summarise({"both": [log(0.5, 0.8), log(0.5, 0.9)], "steps": [log(0.5, 0.4)]})
    assert table["both"]["accuracy"] == {"end": 0.85, "spread": 0.0707, "change": 0.35}
    assert table["steps"]["backtracks"] == {"end": 0.4, "spread": 0.0, "change": -0.1}
    shown = markdown(table)
    assert shown.startswith("| | both | steps |\n|---|---|---|\n")
    assert "| steps over optimum | 0.850 ± 0.071 (+0.350) | 0.400 ± 0.000 (-0.100) |" in shown
