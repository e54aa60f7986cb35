"""Recipes: those that come along load, and a wrong field is refused by its name."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from steiner.training.config.recipe import Recipe, RecipeError, load_recipe
from steiner.training.problems import FAMILIES

RECIPES = sorted((Path(__file__).parents[4] / "training" / "recipes").glob("*.yaml"))
MODEL = {"width": 64, "layers": 2, "heads": 2, "ffn_width": 176, "max_positions": 1024}
BASE = {"base": "Qwen/Qwen2.5-32B", "max_positions": 4096, "lora": {}}
GOOD: dict[str, Any] = {
    "name": "test",
    "seed": 1,
    "output": "runs/test",
    "model": MODEL,
    "data": {"countdown": {"problems": 100, "sizes": [{"size": 3}]}},
    "sft": {"tokens": 1000},
}


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_come_along_load(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.output == Path("runs") / recipe.name


def test_the_recipes_are_found() -> None:
    assert {path.stem for path in RECIPES} >= {"tiny", "tiny-direct", "smoke"}


def test_the_baseline_sees_the_same_problems_and_as_many_tokens() -> None:
    tiny, direct = (load_recipe(RECIPES[0].with_name(f"{name}.yaml")) for name in ("tiny", "tiny-direct"))
    assert (tiny.style, direct.style) == ("search", "direct")
    assert tiny.cpt is not None
    assert direct.sft.tokens == tiny.cpt.tokens + tiny.sft.tokens
    assert (direct.seed, direct.model, direct.data) == (tiny.seed, tiny.model, tiny.data)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path))
    assert (recipe.style, recipe.threads, recipe.cpt, recipe.rl) == ("search", 2, None, None)
    assert recipe.data["countdown"].traces_per_problem == 1


@pytest.mark.parametrize(
    ("changes", "optimizer"),
    [
        ({}, "muon"),
        ({"sft": {"tokens": 1, "optimizer": "adamw"}, "devices": {"sharding": "full"}}, "adamw"),
        ({"model": BASE, "devices": {"sharding": "full"}}, "adamw"),
        ({"model": {"base": "a/b", "max_positions": 9}, "sft": {"tokens": 1, "optimizer": "muon"}}, "muon"),
    ],
)
def test_the_optimizer_follows_the_model_where_it_is_not_named(
    tmp_path: Path, changes: dict[str, Any], optimizer: str
) -> None:
    recipe = load_recipe(written(tmp_path, **changes))
    assert recipe.optimizer_of(recipe.sft) == optimizer


def test_what_is_dumped_loads_again() -> None:
    recipe = load_recipe(RECIPES[0])
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 1}, "learning_rate"),
        ({"seed": -1}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"name": "My Run"}, "name"),
        ({"threads": 0}, "threads"),
        ({"style": "chat"}, "style"),
        ({"model": MODEL | {"heads": 3}}, "width 64 must be an even multiple of heads 3"),
        ({"model": MODEL | {"heads": 64}}, "width 64 must be an even multiple of heads 64"),
        ({"model": MODEL | {"layers": 0}}, "model.layers"),
        ({"model": MODEL | {"depth": 2}}, "model.depth"),
        ({"data": {}}, "data"),
        ({"data": {"chess": {"problems": 1, "sizes": [{"size": 3}]}}}, "chess"),
        ({"data": {"countdown": {"problems": 0, "sizes": [{"size": 3}]}}}, "data.countdown.problems"),
        ({"data": {"countdown": {"problems": 9, "sizes": []}}}, "data.countdown.sizes"),
        (
            {"data": {"countdown": {"problems": 9, "sizes": [{"size": 1}]}}},
            "countdown.sizes: [1] not in 2 to 6",
        ),
        ({"data": {"routes": {"problems": 9, "sizes": [{"size": 40}]}}}, "routes.sizes: [40]"),
        (
            {"data": {"countdown": {"problems": 9, "sizes": [{"size": 3, "weight": 0}]}}},
            "data.countdown.sizes.0.weight",
        ),
        (
            {"data": {"countdown": {"problems": 9, "sizes": [{"size": 3}], "unsolvable": 1.0}}},
            "data.countdown.unsolvable",
        ),
        ({"sft": {"tokens": 0}}, "sft.tokens"),
        ({"sft": {"tokens": 10, "cut": 1.5}}, "sft.cut"),
        ({"sft": {"tokens": 10, "drill_share": 0.5}}, "sft.drill_share"),
        ({"sft": {"tokens": 10, "batch_tokens": [100]}}, "sft.batch_tokens"),
        ({"sft": {"tokens": 10, "decay_from": -0.1}}, "sft.decay_from"),
        ({"cpt": {"tokens": 10, "drill_share": 2}}, "cpt.drill_share"),
        ({"cpt": {"tokens": 10, "optimizer": "sgd"}}, "cpt.optimizer"),
        ({"cpt": {"tokens": 10, "text": {"files": ["a.doc"], "share": 0.5}}}, "cpt.text.files"),
        ({"cpt": {"tokens": 10, "text": {"files": [], "share": 0.5}}}, "cpt.text.files"),
        ({"cpt": {"tokens": 10, "text": {"files": ["a.txt"], "share": 1.0}}}, "cpt.text.share"),
        ({"devices": {"gpus": 0}}, "devices.gpus"),
        ({"devices": {"sharding": "some"}}, "devices.sharding"),
        ({"devices": {"sharding": "full"}}, "sft.optimizer is muon, which needs whole matrices"),
        ({"model": BASE, "sft": {"tokens": 1, "optimizer": "muon"}}, "sft.optimizer is muon"),
        ({"model": BASE | {"width": 3}}, "model.width"),
        ({"model": {"base": "a/b"}}, "model.max_positions"),
        ({"model": BASE | {"lora": {"rank": 0}}}, "model.lora.rank"),
        ({"model": []}, "model"),
        ({"rl": {"steps": -1}}, "rl.steps"),
        ({"rl": {"steps": 1, "temperature": 0}}, "rl.temperature"),
        ({"style": "forward", "teacher_runs": ["runs/school"]}, "teacher_runs: a teacher's traces go back"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)
    assert re.search(rf"\b{re.escape(named)}", str(caught.value))


def test_every_wrong_field_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, seed=-1, threads=0, speed=3))
    assert all(f"\n  {field}: " in str(caught.value) for field in ("seed", "threads", "speed"))


@pytest.mark.parametrize("missing", ["name", "seed", "output", "model", "data", "sft"])
def test_a_missing_field_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in GOOD.items() if key != missing}))
    with pytest.raises(RecipeError, match=rf"\n  {missing}: Field required"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "recipe: "),
        (b"- a\n- b\n", "recipe: "),
        (b"name: [unclosed", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yaml: No such file or directory\."):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="Is a directory"):
        load_recipe(tmp_path)


def test_every_size_that_a_recipe_may_ask_for_is_a_range() -> None:
    assert all(len(family.sizes) >= 2 for family in FAMILIES.values())
