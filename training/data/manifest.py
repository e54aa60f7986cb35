"""What a run's data consist of: recipe, seed, versions, counts and the hash of every shard, in `manifest.json`.

It is written last, so data with a manifest are complete.
"""

import hashlib
import importlib.metadata
import json
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from steiner.training.config.files import write_whole
from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import DIALOGUES, KINDS, TRACES, Kind
from steiner.training.data.shards import DataError, read_records, shard_paths

MANIFEST = "manifest.json"
PACKAGES = ("steiner", "pyarrow")


def write_manifest(recipe: Recipe, folder: Path, asked: dict[str, int]) -> None:
    """Write it into the data folder.

    Args:
        asked: how many records of each kind there must be.

    Raises:
        DataError: the number is another one.
    """
    kinds = {}
    for kind in KINDS.values():
        described = kinds[kind.name] = describe_kind(folder, kind)
        if described["records"] != asked[kind.name]:
            raise DataError(
                f"{folder / kind.name} has {described['records']} records, the recipe asks for "
                f"{asked[kind.name]}. Remove the folder and run the command again."
            )
    manifest = {
        "recipe": recipe.name,
        "seed": recipe.seed,
        **recipe.model_dump(mode="json", include={"style", "languages", "data"}),
        "command": f"steiner data training/recipes/{recipe.name}.yaml",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "kinds": kinds,
    }
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data folder.

    Raises:
        DataError: the data are not complete.
    """
    if not is_complete(folder):
        raise DataError(f"The data in {folder} are not complete: `steiner data RECIPE` goes on with them.")
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def is_complete(folder: Path) -> bool:
    """Whether there is a manifest, and every shard that it names."""
    if not (folder / MANIFEST).exists():
        return False
    kinds = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kinds"]
    return all((folder / name).exists() for kind in kinds.values() for name in kind["shards"])


def describe_kind(folder: Path, kind: Kind[Any]) -> dict[str, Any]:
    """Records, counts and hashes of one kind. The kind's hash is the hash of its shards' hashes, one in each line.

    Raises:
        DataError: a shard is missing or cannot be read.
    """
    shards = {
        path.relative_to(folder).as_posix(): _describe_shard(path) for path in shard_paths(folder, kind)
    }
    hashes = "".join(f"{shard['sha256']}\n" for shard in shards.values())
    return {
        "records": sum(shard["records"] for shard in shards.values()),
        "counts": _counts(folder, kind),
        "sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        "shards": shards,
    }


def _describe_shard(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "records": pq.read_metadata(path).num_rows,
        "bytes": path.stat().st_size,
        "sha256": digest,
    }


def _counts(folder: Path, kind: Kind[Any]) -> list[dict[str, Any]]:
    """Records by family, size, language and split, if a kind has these; for searches, how many backtrack."""
    names = [name for name in ("family", "size", "language", "split") if name in kind.schema.names]
    searches = kind in (TRACES, DIALOGUES)
    fields = [*names, *(["steps.list.element.to_depth"] if searches else [])]
    records: Counter[tuple[Any, ...]] = Counter()
    backtracking: Counter[tuple[Any, ...]] = Counter()
    for record in read_records(folder, kind, fields):
        group = tuple(record[name] for name in names)
        records[group] += 1
        if searches:
            backtracking[group] += any(step["to_depth"] is not None for step in record["steps"])
    rows = []
    for group, number in sorted(records.items()):
        row = dict(zip(names, group, strict=True)) | {"records": number}
        if searches:
            row |= {
                "with_backtracks": backtracking[group],
                "share_with_backtracks": round(backtracking[group] / number, 4),
            }
        rows.append(row)
    return rows
