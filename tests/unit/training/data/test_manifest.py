"""manifest.json: what the data are, and what proves it."""

import hashlib
import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import DIALOGUES, KINDS, PROBLEMS, TRACES
from steiner.training.data.manifest import is_complete, read_manifest
from steiner.training.data.shards import DataError, read_records
from steiner.training.traces.render import trace_from_json


def test_it_says_what_the_data_are_made_of(written: Recipe) -> None:
    manifest = read_manifest(written.output / "data")
    assert (manifest["recipe"], manifest["seed"]) == ("test", 5)
    for section in ("style", "languages", "data"):
        assert manifest[section] == written.model_dump(mode="json")[section]
    assert manifest["command"] == "steiner data training/recipes/test.yaml"
    assert manifest["packages"] == {name: version(name) for name in ("steiner", "pyarrow")}
    assert list(manifest["kinds"]) == list(KINDS)


def test_every_shard_is_hashed(written: Recipe) -> None:
    folder = written.output / "data"
    named = set()
    for kind in read_manifest(folder)["kinds"].values():
        assert kind["records"] == sum(shard["records"] for shard in kind["shards"].values())
        for name, shard in kind["shards"].items():
            content = (folder / name).read_bytes()
            assert shard["sha256"] == hashlib.sha256(content).hexdigest()
            assert shard["bytes"] == len(content)
            named.add(folder / name)
        digests = "".join(f"{shard['sha256']}\n" for shard in kind["shards"].values())
        assert kind["sha256"] == hashlib.sha256(digests.encode()).hexdigest()
    assert named == set(folder.rglob("*.parquet"))


def test_it_counts_by_family_size_language_and_split(written: Recipe) -> None:
    folder = written.output / "data"
    kinds = read_manifest(folder)["kinds"]
    for name, kind in KINDS.items():
        counted = Counter((r["family"], r["size"]) for r in read_records(folder, kind))
        told: Counter[tuple[str, int]] = Counter()
        for row in kinds[name]["counts"]:
            told[row["family"], row["size"]] += row["records"]
        assert told == counted
    splits = Counter((r["family"], r["split"]) for r in read_records(folder, PROBLEMS))
    assert {(r["family"], r["split"]): r["records"] for r in kinds["problems"]["counts"]} == splits


def test_it_counts_searches_that_backtrack(written: Recipe) -> None:
    folder = written.output / "data"
    kinds = read_manifest(folder)["kinds"]
    for kind in (TRACES, DIALOGUES):
        expected: Counter[str] = Counter()
        for record in read_records(folder, kind):
            expected[record["family"]] += trace_from_json(record).num_backtracks > 0
        assert sum(expected.values())
        for row in kinds[kind.name]["counts"]:
            assert row["with_backtracks"] == expected[row["family"]]
            assert row["share_with_backtracks"] == round(row["with_backtracks"] / row["records"], 4)


def test_data_without_one_are_not_complete(written: Recipe) -> None:
    folder = written.output / "data"
    assert is_complete(folder)
    (folder / "drills/00000.parquet").unlink()
    assert not is_complete(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match="not complete: `steiner data RECIPE` goes on with them"):
        read_manifest(folder)


def test_it_says_nothing_of_the_machine(written: Recipe, tmp_path: Path) -> None:
    text = (written.output / "data/manifest.json").read_text()
    assert str(tmp_path) not in text
    json.loads(text)
