"""docs/training.md: its snippets are parts of a recipe, its figures those of the plan."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from steiner.training.config.base_checkpoint import Lora
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.planning.memory import plan_memory
from steiner.training.planning.plan import GIB, StagePlan

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_is_part_of_a_recipe(recipe_of: Callable[..., Recipe], snippet: str) -> None:
    part: dict[str, Any] = yaml.safe_load(snippet)
    model = {"model": {"base": "a/b", "max_positions": 1024}} if "devices" in part else {}
    recipe = recipe_of(**model | part)
    for section, fields in part.items():
        assert getattr(recipe, section).model_dump(mode="json").keys() >= fields.keys()


def test_the_snippets_are_found() -> None:
    assert len(SNIPPETS) >= 4


def test_every_recipe_is_listed() -> None:
    listed = set(re.findall(r"^\| `([a-z0-9-]+)\.yaml`", PAGE, flags=re.MULTILINE))
    there = {path.stem for path in (ROOT / "training" / "recipes").glob("*.yaml")}
    # Those that others are compared with are in the cards of the models.
    assert listed == {name for name in there if not name.startswith(("tiny-", "countdown-"))}


def row(name: str) -> list[float]:
    """Figures of a row of the table, those of one cell added up."""
    (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, flags=re.MULTILINE)
    return [sum(map(float, re.findall(r"[\d.]+", cell))) for cell in cells.split("|")]


def test_the_figures_are_those_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    recipe = load_recipe(ROOT / "training" / "recipes" / "32b.yaml")
    lora = recipe.model.model_copy(update={"lora": Lora(rank=64)})
    devices = recipe.devices.model_copy(update={"gpu_memory_gib": 79.0})
    plans = [
        plan_memory(recipe).stages[0],
        plan_memory(recipe.model_copy(update={"model": lora, "devices": devices})).stages[0],
    ]

    def gib(plan: StagePlan, *names: str) -> float:
        return sum(item.num_bytes for item in plan.items if item.name in names) / GIB

    expected = {
        "weights": ("weights", "weights of the base", "adapters"),
        "gradients": ("gradients",),
        "AdamW": ("AdamW",),
        "activations, of layer inputs and one layer computed again": ("activations",),
        "logits": ("logits",),
        "gathered weights and gradients": ("gathered weights", "gathered gradients"),
        "CUDA, NCCL, gaps": ("CUDA, NCCL, gaps",),
    }
    for name, items in expected.items():
        assert row(name) == pytest.approx([gib(plan, *items) for plan in plans], abs=0.11), name
    assert row("together") == pytest.approx([plan.total / GIB for plan in plans], abs=0.06)
    assert all(plan.fits for plan in plans)
