"""Which records are in which shard. This depends only on the problems, and is decided before any record is made."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import DAGS, DIALOGUES, DRILLS, KINDS, PROBLEMS, TRACES, Kind, ProblemRecord
from steiner.training.data.records import RECORDS_OF, Source
from steiner.training.data.shards import DataError, read_records, shard_path, write_shard


@dataclass(frozen=True, slots=True)
class Shard:
    """A file to write, and what its records are made from."""

    recipe: Recipe
    kind: str
    path: Path
    sources: tuple[Source, ...]


def write_sources(shard: Shard) -> tuple[str, int]:
    """Make and write the records; returns the name of their kind and their number."""
    records = RECORDS_OF[shard.kind](shard.recipe, shard.sources)
    return shard.kind, write_shard(shard.path, KINDS[shard.kind], records)


def count_records(recipe: Recipe, folder: Path) -> dict[str, int]:
    """How many records of each kind the recipe asks for, given its problems.

    Raises:
        DataError: a family has none to train on.
    """
    split = Counter(
        (r["family"], r["split"]) for r in read_records(folder, PROBLEMS, fields=("family", "split"))
    )
    num_train = {name: split[name, "train"] for name in recipe.data}
    for name, data in recipe.data.items():
        if data.drills and not num_train[name]:
            raise DataError(
                f"data.{name}: every problem is held out, nothing is left to train on; raise problems."
            )
    return {
        PROBLEMS.name: split.total(),
        DAGS.name: sum(num_train.values()),
        TRACES.name: sum(num_train[name] * data.traces_per_problem for name, data in recipe.data.items()),
        DRILLS.name: sum(data.drills for data in recipe.data.values()),
        DIALOGUES.name: sum(data.dialogues for data in recipe.data.values()),
    }


def missing_shards(recipe: Recipe, folder: Path, shard_records: int) -> Iterator[Shard]:
    """The missing shards, of every kind but the problems."""
    for kind in KINDS.values():
        if kind is PROBLEMS:
            continue
        sources = _sources(recipe, folder, kind)
        number = 0
        while of_shard := tuple(islice(sources, shard_records)):
            path = shard_path(folder, kind, number)
            if not path.exists():
                yield Shard(recipe, kind.name, path, of_shard)
            number += 1


def _sources(recipe: Recipe, folder: Path, kind: Kind[Any]) -> Iterator[Source]:
    match kind.name:
        case DAGS.name:
            yield from (Source(problem["family"], 0, problem) for problem in _training(folder))
        case TRACES.name:
            for problem in _training(folder):
                for number in range(recipe.data[problem["family"]].traces_per_problem):
                    yield Source(problem["family"], number, problem)
        case DRILLS.name:
            for name, data in recipe.data.items():
                by_turns = cycle(problem for problem in _training(folder) if problem["family"] == name)
                numbered = zip(range(data.drills), by_turns, strict=False)
                yield from (Source(name, number, problem) for number, problem in numbered)
        case DIALOGUES.name:
            for name, data in recipe.data.items():
                yield from (Source(name, number) for number in range(data.dialogues))


def _training(folder: Path) -> Iterator[ProblemRecord]:
    return (problem for problem in read_records(folder, PROBLEMS) if problem["split"] == "train")
