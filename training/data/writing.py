"""All data of a recipe, made by as many processes as there are cores. A stopped run goes on where it stopped."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from steiner.training.config.files import PARTIAL
from steiner.training.config.recipe import Recipe
from steiner.training.data.distinct import write_problems
from steiner.training.data.fingerprint import claim_stage
from steiner.training.data.kinds import KINDS, PROBLEMS
from steiner.training.data.manifest import is_complete, read_manifest, write_manifest
from steiner.training.data.shards import SHARD_RECORDS, DataError
from steiner.training.data.sharing import count_records, missing_shards, write_sources
from steiner.training.data.workers import usable_cores, worker_processes


def write_data(
    recipe: Recipe, workers: int | None = None, shard_records: int = SHARD_RECORDS
) -> dict[str, int]:
    """Write the missing shards of a recipe.

    Args:
        workers: processes that share the work; as many as there are cores if not given. The files do not depend on it.
        shard_records: records in each file but the last of a kind.

    Returns:
        Records by kind.

    Raises:
        ChangedRecipeError: the existing files were made from another recipe.
        DataError: a family has fewer different problems than asked for, or none to train on; another process writes
            the same files; or a worker process was ended from outside.
    """
    folder = recipe.output / "data"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        claim_stage(recipe, "data")
        if is_complete(folder):
            return {name: kind["records"] for name, kind in read_manifest(folder)["kinds"].items()}
        for left_over in folder.rglob(f"*{PARTIAL}"):
            left_over.unlink()
        # Starting a process takes as long as making a shard.
        num_workers = max(1, min(workers or usable_cores(), _most_records(recipe) // shard_records))
        with worker_processes(num_workers) as map_in_order, _progress() as progress:
            bars = {name: progress.add_task(name, total=None) for name in KINDS}
            asked = sum(data.problems for data in recipe.data.values())
            _show(progress, bars[PROBLEMS.name], folder, PROBLEMS.name, asked, shard_records)
            write_problems(
                recipe,
                folder,
                shard_records,
                map_in_order,
                lambda count: progress.advance(bars[PROBLEMS.name], count),
            )
            counts = count_records(recipe, folder)
            for name, count in counts.items():
                (folder / name).mkdir(exist_ok=True)
                _show(progress, bars[name], folder, name, count, shard_records)
            for name, count in map_in_order(write_sources, missing_shards(recipe, folder, shard_records)):
                progress.advance(bars[name], count)
        write_manifest(recipe, folder, counts)
    return counts


def _most_records(recipe: Recipe) -> int:
    return sum(
        data.problems * (2 + data.traces_per_problem) + data.drills + data.dialogues
        for data in recipe.data.values()
    )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder. It ends with the process, however that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{folder}: another process is writing it; wait for that or stop it.") from error
        yield
    finally:
        os.close(handle)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _show(progress: Progress, bar: TaskID, folder: Path, name: str, total: int, shard_records: int) -> None:
    """Count the existing shards as done."""
    there = sum(1 for _ in (folder / name).glob("*.parquet"))
    progress.update(bar, total=total, completed=min(total, there * shard_records))
