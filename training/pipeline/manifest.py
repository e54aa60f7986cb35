"""What a run was made from: recipe, seed, counts, hashes and versions, in a file next to the weights."""

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from steiner.training.config.recipe import Recipe
from steiner.training.data.manifest import read_manifest
from steiner.training.data.teacher_runs import describe_teacher_runs

PACKAGES = ("steiner", "torch", "transformers", "tokenizers", "accelerate", "trl")


def write_manifest(recipe: Recipe, folder: Path) -> None:
    """Write `training.json` into the checkpoint's folder."""
    manifest: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", exclude={"output", "teacher_runs"}),
        "data": {
            name: {"records": kind["records"], "sha256": kind["sha256"]}
            for name, kind in read_manifest(recipe.output / "data")["kinds"].items()
        },
        "teacher_runs": describe_teacher_runs(recipe.teacher_runs),
        "stages": {stage: _last_log(recipe.output / stage / "log.jsonl") for stage in ("cpt", "sft", "rl")},
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    (folder / "training.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _last_log(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    last: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return last
