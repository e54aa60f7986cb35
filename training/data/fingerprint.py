"""Which fields of the recipe a stage's results were made from, so that another recipe does not use them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steiner.reasoning.errors import SteinerError
from steiner.training.config.files import write_whole
from steiner.training.config.recipe import Recipe
from steiner.training.data.teacher_runs import DescribedTraces, describe_teacher_runs

FIELDS = {
    "data": ("seed", "style", "languages", "data"),
    "cpt": ("model", "cpt", "teacher_runs"),
    "sft": ("sft",),
    "rl": ("rl",),
    "export": ("name",),
}
"""What each stage reads of the recipe in addition to the stages before it, in the order of the stages."""
WITHOUT_EFFECT = ("output", "threads", "devices")
IN_PASSING = {"rl": {"rollouts", "rollouts_per_pass", "save_every"}}
"""Fields that are read but only decide how something is computed, and not what."""
TEACHERS = "teacher_runs"
FILE = "made_from.json"
DATA_FORMAT = 1
"""Raised with every change of what the data files hold for the same recipe."""
SHOWN_DIFFERENCES = 5


class ChangedRecipeError(SteinerError):
    """Existing results were made from another recipe; the message says what differs and what to do."""


def check_stage(recipe: Recipe, stage: str) -> None:
    """Check that what a stage left in its folder belongs to this recipe. An empty folder fits any recipe.

    Raises:
        ChangedRecipeError: it is another recipe's, or nothing says whose.
        DataError: the recipe names a folder that holds no finished run of a teacher.
    """
    folder = recipe.output / stage
    if not folder.exists() or not any(folder.iterdir()):
        return
    begin_again = (
        f"`steiner train RECIPE --from {stage}` throws it away and makes it again, and all later stages; "
        "to keep it, name another `output` in the recipe."
    )
    recorded = _recorded(folder, stage)
    if recorded is None:
        raise ChangedRecipeError(f"{folder} does not say which recipe it was made from. {begin_again}")
    recorded = _deciding(_with_later_fields(recorded, recipe))
    if differences := list(_differences(recorded, fingerprint(recipe, stage))):
        more = len(differences) - SHOWN_DIFFERENCES
        shown = "; ".join(differences[:SHOWN_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")
        raise ChangedRecipeError(f"{folder} was made from another recipe: {shown}. {begin_again}")


def claim_stage(recipe: Recipe, stage: str) -> None:
    """Check the stage's folder, and mark it as this recipe's. Call this before anything else is written there.

    Raises:
        ChangedRecipeError: it is another recipe's.
    """
    check_stage(recipe, stage)
    folder = recipe.output / stage
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).exists():
        write_whole(folder / FILE, json.dumps(fingerprint(recipe, stage), indent=2) + "\n")


def fingerprint(recipe: Recipe, stage: str) -> dict[str, Any]:
    """Every field that decides what a stage makes, including those of the stages before it."""
    stages = list(FIELDS)
    read = {field for name in stages[: stages.index(stage) + 1] for field in FIELDS[name]}
    told = recipe.model_dump(mode="json", include=read - {TEACHERS})
    decided = {"data_format": DATA_FORMAT, **_deciding(told)}
    return decided | (_teachers(describe_teacher_runs(recipe.teacher_runs)) if TEACHERS in read else {})


def _teachers(runs: Sequence[DescribedTraces]) -> dict[str, Any]:
    """What the teacher's runs wrote, wherever it is. Without any, the field is left out, as in older results."""
    return {TEACHERS: [run["sha256"] for run in runs]} if runs else {}


def _recorded(folder: Path, stage: str) -> dict[str, Any] | None:
    if stage == "export":
        # An export is a checkpoint that others load; its manifest has the whole recipe.
        manifest = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        recipe: dict[str, Any] = manifest["recipe"]
        told = {n: v for n, v in recipe.items() if n not in (*WITHOUT_EFFECT, TEACHERS)}
        return {"data_format": DATA_FORMAT, **told, **_teachers(manifest.get(TEACHERS, ()))}
    if not (folder / FILE).exists():
        return None
    recorded: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return recorded


def _deciding(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {n: v for n, v in value.items() if n not in IN_PASSING[name]}
        if name in IN_PASSING and isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def _with_later_fields(recorded: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """An earlier record in today's form. Fields that recipes did not have then get their defaults."""
    told = set(Recipe.model_fields) - {TEACHERS}
    fields = {name: value for name, value in recorded.items() if name in told}
    try:
        then = Recipe.model_validate(recipe.model_dump(mode="json") | fields)
    except ValidationError:
        # It was made under older rules, and is compared field by field.
        return recorded
    return recorded | then.model_dump(mode="json", include=set(fields))


def _differences(recorded: Any, now: Any, field: str = "") -> Iterator[str]:
    """Each field with both values, by its dotted name."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *(name for name in now if name not in recorded)]:
            inner = f"{field}.{name}" if field else name
            yield from _differences(recorded.get(name), now.get(name), inner)
    elif recorded != now:
        yield f"{field} was {_shown(recorded)}, is {_shown(now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return "set" if isinstance(value, dict) else json.dumps(value)
