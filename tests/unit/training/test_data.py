"""The data files: split by identity, the same bytes for a seed, whole or not there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training import data
from steiner.training.config import Recipe
from steiner.training.dags.search import build_dag
from steiner.training.data import (
    DAGS,
    DIALOGUES,
    DRILLS,
    PROBLEMS,
    TRACES,
    DataError,
    read_records,
    write_data,
)
from steiner.training.problems import FAMILIES
from steiner.training.problems.split import is_held_out
from steiner.training.seeding import record_stream
from steiner.training.traces.render import trace_from_json
from steiner.training.traces.walk import sample_trace

FILES = (PROBLEMS, DAGS, TRACES, DRILLS, DIALOGUES)
RecipeOf = Callable[..., Recipe]


def contents(recipe: Recipe) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (recipe.output / "data").iterdir()}


def records_of(recipe: Recipe, name: str) -> list[dict[str, Any]]:
    return list(read_records(recipe.output / "data" / name))


@pytest.fixture
def written(recipe_of: RecipeOf) -> Recipe:
    recipe = recipe_of()
    write_data(recipe)
    return recipe


def test_the_files_hold_what_the_recipe_asks_for(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    counts = write_data(recipe)
    assert set(contents(recipe)) == set(FILES)
    assert {name: len(records_of(recipe, name)) for name in FILES} == counts
    assert counts[PROBLEMS] == 120 * len(FAMILIES)
    num_train = sum(record["split"] == "train" for record in records_of(recipe, PROBLEMS))
    assert counts[DAGS] == counts[TRACES] == num_train
    assert counts[DRILLS] == 20 * len(FAMILIES)
    assert counts[DIALOGUES] == 4 * len(FAMILIES)


def test_problems_are_told_once_and_read_back(written: Recipe) -> None:
    records = records_of(written, PROBLEMS)
    assert len({record["id"] for record in records}) == len(records)
    assert len({record["prompt"] for record in records}) == len(records)
    for record in records:
        family = FAMILIES[record["family"]]
        problem = family.from_json(record["problem"])
        assert family.parse(record["prompt"]) == problem
        assert build_dag(family, problem).nodes[0].is_alive == record["solvable"]
    share = sum(not record["solvable"] for record in records) / len(records)
    assert 0.04 < share < 0.18


def test_no_identity_of_a_held_out_problem_is_trained_on(written: Recipe) -> None:
    def identity(record: dict[str, Any]) -> str:
        family = FAMILIES[record["family"]]
        return family.canonical(family.parse(record["prompt"]))

    problems = records_of(written, PROBLEMS)
    held_out = {identity(record) for record in problems if record["split"] == "held_out"}
    assert {record["family"] for record in problems if record["split"] == "held_out"} == set(FAMILIES)
    assert all(map(is_held_out, held_out))
    trained_on = {identity(record) for name in (TRACES, DRILLS) for record in records_of(written, name)}
    assert trained_on
    assert not any(map(is_held_out, trained_on))
    assert not held_out & trained_on
    ids = {record["id"] for record in problems if record["split"] == "held_out"}
    assert not ids & {record["id"] for record in records_of(written, DAGS)}


def test_dags_and_traces_are_those_of_the_problems(written: Recipe) -> None:
    problems = {record["id"]: record for record in records_of(written, PROBLEMS)}
    dags = {record["id"]: record["nodes"] for record in records_of(written, DAGS)}
    for record in records_of(written, TRACES):
        problem_id, number = record["id"].rsplit("-", 1)
        described = problems[problem_id]
        family = FAMILIES[described["family"]]
        problem = family.from_json(described["problem"])
        dag = build_dag(family, problem)
        nodes = dags[problem_id]
        assert [node["distance"] for node in nodes] == [node.distance for node in dag.nodes]
        assert [node["in"] for node in nodes] == [node.num_incoming for node in dag.nodes]
        rng = record_stream(written, "trace", problem_id, number)
        assert trace_from_json(record) == sample_trace(family, problem, dag, rng)
        if described["solvable"]:
            assert family.check(problem, record["answer"])
            assert family.check(problem, record["guess"])
        else:
            assert (record["answer"], record["guess"]) == (NOT_FOUND, NOT_FOUND)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(recipe_of: RecipeOf, tmp_path: Path) -> None:
    recipes = [recipe_of(output=tmp_path / str(n), seed=seed) for n, seed in enumerate((5, 5, 6))]
    for recipe in recipes:
        write_data(recipe)
    first, again, other = map(contents, recipes)
    assert first == again
    assert all(first[name] != other[name] for name in FILES)


class Killed(BaseException):
    """As if the process had gone."""


@pytest.mark.parametrize("stage", ["_problems", "_dags", "_traces", "_drills"])
def test_an_interrupted_write_leaves_the_same_bytes_in_the_end(
    recipe_of: RecipeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    whole, killed = recipe_of(output=tmp_path / "whole"), recipe_of(output=tmp_path / "killed")
    write_data(whole)
    original = getattr(data, stage)

    def until_killed(*arguments: Any) -> Iterator[dict[str, Any]]:
        for number, record in enumerate(original(*arguments)):
            if number == 7:
                raise Killed
            yield record

    with monkeypatch.context() as patched:
        patched.setattr(data, stage, until_killed)
        with pytest.raises(Killed):
            write_data(killed)
    name = f"{stage.removeprefix('_')}.jsonl"
    assert not (killed.output / "data" / name).exists()
    assert (killed.output / "data" / name).with_suffix(".partial").exists()
    write_data(killed)
    assert contents(killed) == contents(whole)


def test_what_is_there_is_not_written_again(written: Recipe) -> None:
    folder = written.output / "data"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    counts = write_data(written)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert counts == {name: len(records_of(written, name)) for name in FILES}


def test_a_record_is_a_line_that_a_person_can_read(written: Recipe) -> None:
    for name in FILES:
        for line in (written.output / "data" / name).read_text().splitlines():
            assert isinstance(json.loads(line), dict)
    problem = records_of(written, PROBLEMS)[0]
    assert list(problem) == ["id", "family", "language", "size", "split", "solvable", "prompt", "problem"]


def test_more_problems_than_there_are_is_an_error(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MAX_REPEATS", 50)
    recipe = recipe_of(data={"countdown": {"problems": 100_000, "sizes": [{"size": 2}]}})
    with pytest.raises(DataError, match=r"data\.countdown: no more than \d+ different problems .* 100000"):
        write_data(recipe)


def test_drills_without_a_problem_to_train_on_are_an_error(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "is_held_out", lambda canonical: True)
    with pytest.raises(DataError, match=r"every problem is held out"):
        write_data(recipe_of())
