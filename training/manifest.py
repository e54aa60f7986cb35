"""What a run was made of: recipe, seed, counts, hashes and versions, beside the weights."""

import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from steiner.training.config import Recipe

PACKAGES = ("steiner", "torch", "transformers", "tokenizers", "accelerate")


def write_manifest(recipe: Recipe, folder: Path) -> None:
    """Write `training.json` into the checkpoint's folder."""
    manifest: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", exclude={"output"}),
        "data": {path.name: _describe(path) for path in sorted((recipe.output / "data").glob("*.jsonl"))},
        "stages": {stage: _last_log(recipe.output / stage / "log.jsonl") for stage in ("cpt", "sft", "rl")},
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    (folder / "training.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _describe(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    records = 0
    with path.open("rb") as lines:
        for line in lines:
            digest.update(line)
            records += 1
    return {"records": records, "sha256": digest.hexdigest()}


def _last_log(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    last: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return last
