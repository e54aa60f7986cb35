"""Problems of which no two are the same.

Drawing candidates is the expensive part, and any process can do it, because each candidate has its own random stream.
Which of them repeat an earlier one is decided here, in the order of their numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from steiner.reasoning.tasks.languages import in_language
from steiner.training.config.recipe import Recipe, record_stream
from steiner.training.data.kinds import PROBLEMS, ProblemRecord
from steiner.training.data.shards import DataError, read_shard, shard_metadata, shard_path, write_shard
from steiner.training.data.workers import MapInOrder
from steiner.training.problems import FAMILIES
from steiner.training.problems.base import Family
from steiner.training.problems.held_out import is_held_out

CANDIDATES_A_TASK = 500
MAX_REPEATS = 10_000
"""After so many repeated candidates in a row, a family counts as exhausted."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """A task: candidates `begin` to `end` of a family."""

    recipe: Recipe
    family: str
    begin: int
    end: int


def write_problems(
    recipe: Recipe,
    folder: Path,
    shard_records: int,
    map_in_order: MapInOrder,
    on_done: Callable[[int], None],
) -> None:
    """Write the missing shards of problems, going on after the last one.

    Args:
        on_done: called with the number of records of each shard written.

    Raises:
        DataError: a family has fewer different problems than asked for.
    """
    num_shards = 0
    while shard_path(folder, PROBLEMS, num_shards).exists():
        num_shards += 1
    waiting: list[ProblemRecord] = []
    total = sum(data.problems for data in recipe.data.values())
    left = total - num_shards * shard_records
    if left <= 0:
        return
    for record, candidate in _distinct(recipe, folder, num_shards, map_in_order):
        waiting.append(record)
        left -= 1
        if len(waiting) == shard_records or not left:
            # Where a run that was stopped goes on.
            behind = {"family": record["family"], "next_candidate": str(candidate + 1)}
            on_done(write_shard(shard_path(folder, PROBLEMS, num_shards), PROBLEMS, waiting, behind))
            num_shards += 1
            waiting = []


def _distinct(
    recipe: Recipe, folder: Path, num_shards: int, map_in_order: MapInOrder
) -> Iterator[tuple[ProblemRecord, int]]:
    """New problems, each with the number of its candidate, after those of the existing shards."""
    told: dict[str, set[str]] = {name: set() for name in recipe.data}
    next_candidate = dict.fromkeys(recipe.data, 0)
    for number in range(num_shards):
        path = shard_path(folder, PROBLEMS, number)
        for record in read_shard(path, PROBLEMS):
            family = FAMILIES[record["family"]]
            told[family.name].add(_identity(family, family.from_json(record["problem"])))
        behind = shard_metadata(path)
        next_candidate[behind["family"]] = int(behind["next_candidate"])
    for name in recipe.data:
        yield from _distinct_of(recipe, name, told[name], next_candidate[name], map_in_order)


def _distinct_of(
    recipe: Recipe, name: str, told: set[str], begin: int, map_in_order: MapInOrder
) -> Iterator[tuple[ProblemRecord, int]]:
    wanted = recipe.data[name].problems
    if len(told) == wanted:
        return
    size = min(CANDIDATES_A_TASK, wanted - len(told))
    tasks = (_Candidates(recipe, name, first, first + size) for first in count(begin, size))
    repeats, number = 0, begin
    with closing(map_in_order(_draw, tasks)) as drawn:
        for identity, record in (candidate for candidates in drawn for candidate in candidates):
            number += 1
            if identity in told:
                repeats += 1
                if repeats == MAX_REPEATS:
                    raise DataError(
                        f"data.{name}: no more than {len(told)} different problems of these sizes were found, "
                        f"problems asks for {wanted}; lower it or add sizes."
                    )
                continue
            repeats = 0
            language = recipe.draw_language(record_stream(recipe, "language", name, len(told)))
            record["id"] = f"{name}-{len(told)}"
            record["language"] = language
            record["prompt"] = in_language(record["prompt"], language)
            told.add(identity)
            yield record, number - 1
            if len(told) == wanted:
                return


def _draw(task: _Candidates) -> list[tuple[str, ProblemRecord]]:
    """Identities and problems. Which id a problem gets, and so which language, is not known yet."""
    family, data = FAMILIES[task.family], task.recipe.data[task.family]
    drawn: list[tuple[str, ProblemRecord]] = []
    for number in range(task.begin, task.end):
        rng = record_stream(task.recipe, "problem", task.family, number)
        solvable = rng.random() >= data.unsolvable
        size = data.draw_size(rng)
        problem = family.generate(rng, size, solvable)
        record: ProblemRecord = {
            "id": "",
            "family": task.family,
            "language": "en",
            "size": size,
            "split": "held_out" if is_held_out(family.canonical(problem)) else "train",
            "solvable": solvable,
            "prompt": family.prompt(problem),
            "problem": family.to_json(problem),
        }
        drawn.append((_identity(family, problem), record))
    return drawn


def _identity(family: Family[Any, Any, Any], problem: Any) -> str:
    """What makes two problems the same problem; the split may see fewer differences."""
    return f"{family.canonical(problem)} {family.to_json(problem).get('target', '')}"
