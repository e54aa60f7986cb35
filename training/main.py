"""What the command line calls. torch is imported only when a stage needs it."""

from pathlib import Path

from steiner.training.config.recipe import load_recipe


def train(recipe_path: Path, from_stage: str | None = None, workers: int | None = None) -> Path:
    """Run a recipe's pipeline, going on where it stopped; returns the folder of the exported checkpoint.

    Args:
        from_stage: throw away this stage's results and those of all later ones first.
        workers: processes that make the data, one for each core if not given.

    Raises:
        RecipeError: the recipe cannot be used.
        StageError: `from_stage` is unknown.
        ChangedRecipeError: existing results were made from another recipe.
    """
    recipe = load_recipe(recipe_path)
    from steiner.training.pipeline.stages import run_pipeline

    return run_pipeline(recipe, from_stage, workers)


def plan(recipe_path: Path) -> bool:
    """Print how much of a GPU's memory each stage of a recipe takes; returns whether it fits as far as known.

    Raises:
        RecipeError: the recipe cannot be used.
        BaseError: the base's shape is unknown.
    """
    recipe = load_recipe(recipe_path)
    from rich.console import Console

    from steiner.training.planning.memory import plan_memory
    from steiner.training.planning.plan import show_plan

    planned = plan_memory(recipe)
    show_plan(planned, Console())
    return planned.fits


def data(recipe_path: Path, workers: int | None = None, *, report: bool = False) -> dict[str, int]:
    """Write a recipe's data files; returns records by kind.

    Args:
        workers: processes that share the work, one for each core if not given.
        report: also write statistics, histograms and the dataset card.

    Raises:
        RecipeError: the recipe cannot be used.
        DataError: the data cannot be made.
        ChangedRecipeError: the existing data were made from another recipe.
    """
    from steiner.training.data.writing import write_data

    recipe = load_recipe(recipe_path)
    counts = write_data(recipe, workers)
    if report:
        from steiner.training.data.card import write_report
        from steiner.training.model.starting_model import tokenizer_of

        write_report(recipe.output / "data", tokenizer_of(recipe))
    return counts


def teach(config_path: Path, *, plan: bool = False) -> None:
    """Print what a teacher would cost, then let it write solutions, and make DAGs and traces from them.

    Args:
        plan: only print what it would cost.

    Raises:
        TeachError: something cannot be used, the teacher refuses, or the cap is reached; what was paid for is kept.
    """
    from rich.console import Console

    from steiner.training.teacher import run
    from steiner.training.teacher.config import load_teach_config
    from steiner.training.teacher.plan import plan_table

    config = load_teach_config(config_path)
    console = Console()
    console.print(plan_table(config, run.plan(config)))
    console.print(f"cap: {config.price.cap:g} {config.price.currency}; no call is made that might exceed it.")
    if not plan:
        for line in run.teach(config).lines():
            console.print(line, highlight=False)
