"""Figures of searches, against the searches themselves."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import DAGS, TRACES
from steiner.training.data.shards import read_records
from steiner.training.data.statistics import deepest, measure_all, measure_searches, summary, write_statistics
from steiner.training.data.writing import write_data
from steiner.training.documents.encode import encode_chats
from steiner.training.model.starting_model import tokenizer_of
from steiner.training.problems import FAMILIES
from steiner.training.traces.render import render, trace_from_json


def test_a_summary_is_of_whole_values() -> None:
    values = Counter({1: 50, 2: 44, 10: 5, 300: 1})
    assert summary(values) == {"mean": 4.88, "p50": 1, "p95": 10, "max": 300}
    assert summary(Counter({7: 1})) == {"mean": 7.0, "p50": 7, "p95": 7, "max": 7}
    with pytest.raises(ValueError, match="No values"):
        summary(Counter())


def test_the_deepest_place_is_where_the_automaton_was(
    examples: list[Any], tokenizer: PreTrainedTokenizerFast
) -> None:
    automaton = Automaton(
        STEINER.bind(tokenizer), Policy(max_steps=1_000, max_depth=60, max_backtracks=1_000)
    )
    for example in examples:
        state, depth = automaton.initial, 0
        text = f"{STEINER.reasoning_start}{render(example.trace).reasoning}"
        for token_id in tokenizer.encode(text, add_special_tokens=False):
            state = automaton.advance(state, token_id)
            depth = max(depth, state.depth)
        assert deepest(example.trace) == depth


def test_rows_are_by_family_and_size_by_family_and_of_all(recipe_of: Callable[..., Recipe]) -> None:
    sizes = {name: [3, 4] for name in FAMILIES}
    data = {
        name: {"problems": 40, "sizes": [{"size": size} for size in of_family], "dialogues": 3}
        for name, of_family in sizes.items()
    }
    recipe = recipe_of(data=data)
    write_data(recipe, workers=1)
    folder = recipe.output / "data"
    figures = write_statistics(measure_all(folder, tokenizer_of(recipe)), folder)
    assert json.loads((folder / "statistics.json").read_text()) == figures
    assert list(figures) == ["traces", "dialogues", "dags"]
    traces = list(read_records(folder, TRACES))
    groups = [(row["family"], row["size"]) for row in figures["traces"]]
    families = sorted(FAMILIES)
    assert groups == [
        *((family, size) for family in families for size in (3, 4)),
        *((family, None) for family in families),
        (None, None),
    ]
    for row in figures["traces"]:
        of_row = [
            trace_from_json(record)
            for record in traces
            if row["family"] in (None, record["family"]) and row["size"] in (None, record["size"])
        ]
        assert row["records"] == len(of_row)
        assert row["steps"]["max"] == max(len(trace.steps) for trace in of_row)
        assert row["steps"]["mean"] == pytest.approx(
            sum(len(trace.steps) for trace in of_row) / len(of_row), abs=0.006
        )
        assert row["backtracks"]["max"] == max(trace.num_backtracks for trace in of_row)
        assert row["with_backtracks"] == sum(trace.num_backtracks > 0 for trace in of_row)
    nodes = [record["num_nodes"] for record in read_records(folder, DAGS)]
    assert figures["dags"][-1]["nodes"]["max"] == max(nodes)
    assert figures["dags"][-1]["records"] == len(nodes)


def test_tokens_are_those_that_fine_tuning_learns(written: Recipe) -> None:
    folder, tokenizer = written.output / "data", tokenizer_of(written)
    counted = measure_searches(folder, TRACES, tokenizer).values["tokens"]
    documents = encode_chats(read_records(folder, TRACES), tokenizer, "search", cut=0.0, seed=1)
    learned = sum(sum(document.learned) for document in documents)
    assert sum(value * count for of in counted.values() for value, count in of.items()) == learned
