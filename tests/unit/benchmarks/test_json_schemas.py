"""The benchmark of schemas: a small run keeps every promise, and its judges see what is broken."""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = ("grammar_walks", "random_schemas", "json_schemas", "json_schema_suite")
NUM_MIXTURES = 80
NUM_INSTANCES = 20

Scripts = dict[str, ModuleType]


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    """benchmarks/ holds scripts next to each other and no package: imported as they import each other."""
    known = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in SCRIPTS}
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - known:
        if name in SCRIPTS:
            del sys.modules[name]


def test_every_schema_is_kept_or_refused_at_a_place_it_has(scripts: Scripts) -> None:
    make, judge = scripts["random_schemas"], scripts["json_schemas"]
    tally, draw = judge.Tally(), random.Random(11)
    schemas = [make.Mixture(random.Random(f"small {number}")).schema() for number in range(NUM_MIXTURES)]
    for schema in [*schemas, *make.of_the_metaschema(NUM_INSTANCES, 11)]:
        judge.try_schema(schema, 6, draw, tally)
    assert tally.failures == []
    figures = tally.as_json()
    assert figures["schemas"] == NUM_MIXTURES + NUM_INSTANCES
    assert figures["enforced"] + figures["refused"] == figures["schemas"]
    assert figures["enforced"] > figures["schemas"] / 2
    assert figures["walks"] > 4 * figures["enforced"]


def test_the_same_seed_gives_the_same_schemas(scripts: Scripts) -> None:
    make = scripts["random_schemas"]
    first, second = ([make.Mixture(random.Random(seed)).schema() for seed in range(20)] for _ in range(2))
    assert first == second
    assert len({json.dumps(schema) for schema in first}) > 15


class _Broken:
    """A grammar that lets through what it should not."""

    def walk(self, draw: random.Random) -> str:
        return '"text"'

    def takes(self, text: str) -> bool:
        return True


@pytest.fixture
def broken(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts["grammar_walks"].ByteGrammar, "of_schema", lambda schema: _Broken())


def test_an_answer_that_does_not_fit_is_a_failure(scripts: Scripts, broken: None) -> None:
    judge = scripts["json_schemas"]
    tally = judge.Tally()
    judge.try_schema({"type": "integer"}, 3, random.Random(1), tally)
    (failure,) = tally.failures
    assert "'text' is not of type 'integer'" in failure


@pytest.mark.parametrize(
    ("pointer", "fault"), [("/minimum", None), ("/anyOf/0", "no part"), ("", "without a place")]
)
def test_a_refusal_needs_a_place_that_exists(scripts: Scripts, pointer: str, fault: str | None) -> None:
    judge = scripts["json_schemas"]
    found = judge.fault_of_refusal({"minimum": 5}, judge.SchemaRefusal(pointer, "so"))
    assert found is None if fault is None else fault in found


def test_the_suites_instances_are_told_apart(scripts: Scripts) -> None:
    suite = scripts["json_schema_suite"]
    case: dict[str, Any] = {
        "description": "integers",
        "schema": {"type": "integer"},
        "tests": [
            {"description": "one", "data": 1, "valid": True},
            {"description": "text", "data": "1", "valid": False},
        ],
    }
    counts = suite.Counter()
    assert suite.try_case(case, suite.COMPILERS["ours"], counts) == []
    assert (counts["valid, taken"], counts["invalid, taken"], counts["refused"]) == (1, 0, 0)
    assert len(suite.try_case(case, lambda schema: _Broken(), counts)) == 1
    assert suite.try_case(case | {"schema": {"typ": 1}}, suite.COMPILERS["ours"], counts) == []
    assert counts["refused: typ"] == counts["refused"] == 1
