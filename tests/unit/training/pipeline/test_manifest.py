"""What stands in training.json: the recipe, counts and hashes of the data, the last figures of each stage."""

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from steiner.training.config.recipe import Recipe
from steiner.training.data.writing import write_data
from steiner.training.pipeline.stages import write_manifest


def test_it_says_what_a_run_was_made_of(recipe_of: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = recipe_of()
    counts = write_data(recipe)
    (recipe.output / "sft").mkdir()
    (recipe.output / "sft/log.jsonl").write_text('{"step": 1}\n{"step": 2, "loss": 0.5}\n')
    write_manifest(recipe, tmp_path)
    manifest = json.loads((tmp_path / "training.json").read_text())
    assert {name: described["records"] for name, described in manifest["data"].items()} == counts
    for name, described in manifest["data"].items():
        shards = sorted((recipe.output / "data" / name).iterdir())
        digests = "".join(f"{hashlib.sha256(shard.read_bytes()).hexdigest()}\n" for shard in shards)
        assert described["sha256"] == hashlib.sha256(digests.encode()).hexdigest()
    assert manifest["stages"] == {"cpt": None, "sft": {"step": 2, "loss": 0.5}, "rl": None}
    assert manifest["packages"]["torch"] == version("torch")
    restored = Recipe.model_validate({**manifest["recipe"], "output": recipe.output})
    assert restored == recipe


def test_it_says_nothing_of_the_machine(recipe_of: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = recipe_of()
    write_data(recipe)
    write_manifest(recipe, tmp_path)
    assert str(tmp_path) not in (tmp_path / "training.json").read_text()
