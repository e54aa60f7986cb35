"""Data of a small recipe, and ways to look at them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.data.writing import write_data

RecipeOf = Callable[..., Recipe]
HashesOf = Callable[[Recipe], dict[str, str]]


@pytest.fixture
def written(recipe_of: RecipeOf) -> Recipe:
    """A recipe whose data are there."""
    recipe = recipe_of()
    write_data(recipe, workers=1)
    return recipe


@pytest.fixture
def hashes_of() -> HashesOf:
    """The SHA-256 of every file below a recipe's data folder."""

    def hashes(recipe: Recipe) -> dict[str, str]:
        folder = recipe.output / "data"
        files: list[Path] = [path for path in folder.rglob("*") if path.is_file()]
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    return hashes
