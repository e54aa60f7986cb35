"""All data of a recipe: the same bytes for a seed, whoever made them and however often they were stopped."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.data import distinct, sharing
from steiner.training.data.fingerprint import ChangedRecipeError
from steiner.training.data.kinds import DAGS, DIALOGUES, DRILLS, KINDS, PROBLEMS, TRACES
from steiner.training.data.shards import DataError, read_records, shard_path, shard_paths, write_shard
from steiner.training.data.writing import write_data
from steiner.training.problems import FAMILIES

pytestmark = pytest.mark.slow

RecipeOf = Callable[..., Recipe]
HashesOf = Callable[[Recipe], dict[str, str]]
WRITER = Path(__file__).with_name("killed_writer.py")
SHARD_RECORDS = 50


def test_the_files_hold_what_the_recipe_asks_for(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    counts = write_data(recipe, workers=1)
    folder = recipe.output / "data"
    assert {name: sum(1 for _ in read_records(folder, kind)) for name, kind in KINDS.items()} == counts
    assert counts["problems"] == 120 * len(FAMILIES)
    num_train = sum(record["split"] == "train" for record in read_records(folder, PROBLEMS))
    assert counts["dags"] == counts["traces"] == num_train
    assert counts["drills"] == 20 * len(FAMILIES)
    assert counts["dialogues"] == 4 * len(FAMILIES)


def test_shards_have_a_fixed_size_and_keep_the_order(recipe_of: RecipeOf, tmp_path: Path) -> None:
    one, many = recipe_of(output=tmp_path / "one"), recipe_of(output=tmp_path / "many")
    write_data(one, workers=1)
    write_data(many, workers=1, shard_records=SHARD_RECORDS)
    for kind in KINDS.values():
        records = list(read_records(one.output / "data", kind))
        assert list(read_records(many.output / "data", kind)) == records
        sizes = [
            sum(1 for _ in read_records(path.parent.parent, kind))
            for path in shard_paths(many.output / "data", kind)
        ]
        assert len(sizes) == -(-len(records) // SHARD_RECORDS)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(
    recipe_of: RecipeOf, hashes_of: HashesOf, tmp_path: Path
) -> None:
    recipes = [recipe_of(output=tmp_path / str(n), seed=seed) for n, seed in enumerate((5, 5, 6))]
    for recipe in recipes:
        write_data(recipe, workers=1)
    first, again, other = map(hashes_of, recipes)
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_any_number_of_processes_writes_the_same_bytes(
    recipe_of: RecipeOf, hashes_of: HashesOf, tmp_path: Path
) -> None:
    alone, shared = recipe_of(output=tmp_path / "alone"), recipe_of(output=tmp_path / "shared")
    counts = write_data(alone, workers=1, shard_records=SHARD_RECORDS)
    assert write_data(shared, workers=3, shard_records=SHARD_RECORDS) == counts
    assert hashes_of(shared) == hashes_of(alone)
    assert len(hashes_of(shared)) > 3 * len(KINDS)


@pytest.mark.parametrize(
    ("workers", "where", "number"),
    [(2, "shard", 2), (2, "shard", 8), (1, "group", 3), (1, "group", 9), (1, "group", 15), (2, "group", 2)],
    ids=[
        "parent between problems",
        "parent between other kinds",
        "inside a shard of problems",
        "inside a shard of DAGs",
        "inside a later shard",
        "a worker inside a shard",
    ],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    recipe_of: RecipeOf, hashes_of: HashesOf, tmp_path: Path, workers: int, where: str, number: int
) -> None:
    whole, killed = recipe_of(output=tmp_path / "whole"), recipe_of(output=tmp_path / "killed")
    write_data(whole, workers=1, shard_records=SHARD_RECORDS)
    command: list[str | Path] = [
        sys.executable,
        WRITER,
        killed.model_dump_json(),
        str(workers),
        where,
        str(number),
    ]
    # Their output would stay open, and this would wait, if workers outlived a killed parent.
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if where == "group" and workers > 1:
        assert "DataError: A worker process was ended from outside" in done.stderr
        assert "run the command again, with fewer than 2 --workers if memory was short" in done.stderr
    else:
        assert done.returncode == -signal.SIGKILL
    there = {name: digest for name, digest in hashes_of(killed).items() if name.endswith(".parquet")}
    assert there.items() < hashes_of(whole).items()
    assert "manifest.json" not in hashes_of(killed)
    before = {path: path.stat().st_mtime_ns for path in killed.output.rglob("*.parquet")}
    write_data(killed, workers=workers, shard_records=SHARD_RECORDS)
    assert hashes_of(killed) == hashes_of(whole)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_there_is_not_written_again(written: Recipe) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.output.rglob("*")}
    counts = write_data(written)
    assert {path: path.stat().st_mtime_ns for path in written.output.rglob("*")} == before
    folder = written.output / "data"
    assert counts == {name: sum(1 for _ in read_records(folder, kind)) for name, kind in KINDS.items()}


@pytest.mark.parametrize("kind", [PROBLEMS, DAGS, TRACES, DRILLS, DIALOGUES], ids=lambda kind: kind.name)
def test_a_shard_that_was_removed_is_made_again(
    recipe_of: RecipeOf, hashes_of: HashesOf, kind: object
) -> None:
    recipe = recipe_of()
    write_data(recipe, workers=1, shard_records=SHARD_RECORDS)
    before = hashes_of(recipe)
    name = next(kind_name for kind_name, known in KINDS.items() if known is kind)
    (recipe.output / "data" / name / "00000.parquet").unlink()
    write_data(recipe, workers=1, shard_records=SHARD_RECORDS)
    assert hashes_of(recipe) == before


def test_two_runs_do_not_write_the_same_files(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    folder = recipe.output / "data"
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(DataError, match=r"data: another process is writing it; wait for that or stop it\."):
        write_data(recipe, workers=1)
    os.close(handle)
    assert write_data(recipe, workers=1)


def test_data_of_another_recipe_are_not_taken_for_ones_own(
    written: Recipe, recipe_of: RecipeOf, hashes_of: HashesOf
) -> None:
    before = hashes_of(written)
    with pytest.raises(ChangedRecipeError, match=r"data was made from another recipe: seed was 5, is 6\. `"):
        write_data(recipe_of(seed=6), workers=1)
    assert hashes_of(written) == before


def test_another_number_of_records_is_told_at_the_end(written: Recipe) -> None:
    folder = written.output / "data"
    (folder / "manifest.json").unlink()
    fewer = list(read_records(folder, TRACES))[:7]
    write_shard(shard_path(folder, TRACES, 0), TRACES, fewer)
    with pytest.raises(DataError, match=r"traces has 7 records, the recipe asks for \d+\. Remove the folder"):
        write_data(written, workers=1)


def test_more_problems_than_there_are_is_an_error(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "MAX_REPEATS", 50)
    recipe = recipe_of(data={"countdown": {"problems": 1_000, "sizes": [{"size": 2}]}})
    with pytest.raises(DataError, match=r"data\.countdown: no more than \d+ different problems .* 1000;"):
        write_data(recipe, workers=1)


def test_drills_without_a_problem_to_train_on_are_an_error(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "is_held_out", lambda canonical: True)
    with pytest.raises(DataError, match=r"every problem is held out"):
        write_data(recipe_of(), workers=1)


def test_a_process_is_started_only_for_a_shard_of_its_own(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = []

    def write(*arguments: Any) -> Any:
        writers.append(os.getpid())
        return write_shard(*arguments)

    monkeypatch.setattr(sharing, "write_shard", write)
    write_data(recipe_of(), workers=8)
    assert set(writers) == {os.getpid()}
