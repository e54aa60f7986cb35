"""What the command line calls; torch is imported only when a stage needs it."""

from pathlib import Path

from steiner.training.config import load_recipe


def train(recipe_path: Path, from_stage: str | None = None) -> Path:
    """Run a recipe's pipeline, going on where it stopped; returns the folder of the exported checkpoint.

    Raises:
        RecipeError: the recipe cannot be used.
        StageError: `from_stage` is unknown.
    """
    recipe = load_recipe(recipe_path)
    from steiner.training.stages import run_pipeline

    return run_pipeline(recipe, from_stage)


def data(recipe_path: Path) -> dict[str, int]:
    """Write a recipe's data files; returns records by file name.

    Raises:
        RecipeError: the recipe cannot be used.
    """
    from steiner.training.data import write_data

    return write_data(load_recipe(recipe_path))
