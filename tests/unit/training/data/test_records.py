"""What is made of problems: split by identity, true to their DAGs, the records that the recipe's seed names."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.reasoning.tasks.languages import in_language
from steiner.training.config.recipe import Recipe, record_stream
from steiner.training.data.kinds import DAGS, DIALOGUES, DRILLS, PROBLEMS, TRACES, Kind
from steiner.training.data.shards import DataError, read_records
from steiner.training.data.writing import write_data
from steiner.training.problems import FAMILIES
from steiner.training.problems import dag as dag_module
from steiner.training.problems.dag import build_dag
from steiner.training.problems.held_out import is_held_out
from steiner.training.traces.render import trace_from_json
from steiner.training.traces.walk import sample_trace

RecipeOf = Callable[..., Recipe]


def records_of(recipe: Recipe, kind: Kind[Any]) -> list[dict[str, Any]]:
    return list(read_records(recipe.output / "data", kind))


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
    trained_on = {identity(record) for kind in (TRACES, DRILLS) for record in records_of(written, kind)}
    assert trained_on
    assert not any(map(is_held_out, trained_on))
    assert not held_out & trained_on
    ids = {record["id"] for record in problems if record["split"] == "held_out"}
    assert not ids & {record["id"] for record in records_of(written, DAGS)}


def test_dags_and_traces_are_those_of_the_problems(written: Recipe) -> None:
    problems = {record["id"]: record for record in records_of(written, PROBLEMS)}
    dags = {record["id"]: record for record in records_of(written, DAGS)}
    for record in records_of(written, TRACES):
        problem_id, number = record["id"].rsplit("-", 1)
        described = problems[problem_id]
        family = FAMILIES[described["family"]]
        problem = family.from_json(described["problem"])
        dag = build_dag(family, problem)
        nodes = dags[problem_id]["nodes"]
        assert dags[problem_id]["num_nodes"] == len(nodes) == len(dag.nodes)
        assert [node["distance"] for node in nodes] == [node.distance for node in dag.nodes]
        assert [node["in"] for node in nodes] == [node.num_incoming for node in dag.nodes]
        assert [node["to"] for node in nodes] == [[to for _, to in n.successors] for n in dag.nodes]
        assert [node["state"] for node in nodes] == [
            json.dumps(node.state, separators=(",", ":")) for node in dag.nodes
        ]
        rng = record_stream(written, "trace", problem_id, number)
        assert trace_from_json(record) == sample_trace(family, problem, dag, rng)
        assert {record["size"], dags[problem_id]["size"]} == {described["size"]}
        if described["solvable"]:
            assert family.check(problem, record["answer"])
            assert family.check(problem, record["guess"])
        else:
            assert (record["answer"], record["guess"]) == (NOT_FOUND, NOT_FOUND)


def test_several_traces_of_a_problem_differ(recipe_of: RecipeOf) -> None:
    recipe = recipe_of(
        data={"routes": {"problems": 40, "sizes": [{"size": 5}], "traces_per_problem": 3, "unsolvable": 0.9}}
    )
    write_data(recipe, workers=1)
    traces = records_of(recipe, TRACES)
    ids = [record["id"] for record in records_of(recipe, DAGS)]
    assert [record["id"] for record in traces] == [f"{one}-{number}" for one in ids for number in range(3)]
    searches = {one: {str(r["steps"]) for r in traces if r["id"].rsplit("-", 1)[0] == one} for one in ids}
    assert sum(len(different) for different in searches.values()) > 2 * len(ids)


def test_the_language_is_the_problems(recipe_of: RecipeOf) -> None:
    recipe = recipe_of(languages={"en": 1.0, "ja": 1.0, "zh": 1.0})
    write_data(recipe, workers=1)
    problems = {record["id"]: record for record in records_of(recipe, PROBLEMS)}
    assert {record["language"] for record in problems.values()} == {"en", "ja", "zh"}
    for record in problems.values():
        family = FAMILIES[record["family"]]
        assert record["prompt"] == in_language(
            family.prompt(family.from_json(record["problem"])), record["language"]
        )
    for record in records_of(recipe, TRACES):
        assert record["language"] == problems[record["id"].rsplit("-", 1)[0]]["language"]
    told = {(record["prompt"], record["language"]) for record in problems.values()}
    assert {(record["prompt"], record["language"]) for record in records_of(recipe, DRILLS)} < told


def test_the_forward_style_goes_straight_to_a_goal(recipe_of: RecipeOf) -> None:
    recipe = recipe_of(
        style="forward", data={"routes": {"problems": 60, "sizes": [{"size": 3}], "dialogues": 9}}
    )
    write_data(recipe, workers=1)
    dags = {record["id"]: record["nodes"] for record in records_of(recipe, DAGS)}
    for record in records_of(recipe, TRACES):
        nodes = dags[record["id"].rsplit("-", 1)[0]]
        assert all(step["decision"] != "backtrack" for step in record["steps"])
        assert nodes[record["steps"][-1]["node"]]["distance"] == (
            None if record["answer"] == NOT_FOUND else 0
        )
    for record in records_of(recipe, DIALOGUES):
        assert all(step["to_depth"] is None for step in record["steps"])


def test_a_problem_too_large_for_an_exact_search_names_the_field(
    recipe_of: RecipeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_module, "MAX_NODES", 10)
    with pytest.raises(
        DataError, match=r"data\.countdown\.sizes: 3 is too large: 'make .*': More than 10 states"
    ):
        write_data(recipe_of(), workers=1)
