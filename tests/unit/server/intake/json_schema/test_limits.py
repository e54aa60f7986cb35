"""Schemas that are made to be too much: each is enforced or refused in time, and what is enforced does not stall."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import schema_rules
from steiner.server.intake.json_schema.relaxation import rules_as_far_as_possible

MAX_SECONDS = 30
"""On a machine that is busy; by itself each is a few seconds at most."""


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(number)}} | more


def chain(number: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(number)}
    return {"$ref": "#/$defs/d0", "$defs": definitions | {f"d{number}": {"type": "integer"}}}


def objects_in_objects(number: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{i}": {"type": "object", "properties": {"n": {"$ref": f"#/$defs/d{i + 1}"}}, "required": ["n"]}
        for i in range(number)
    }
    return {"$ref": "#/$defs/d0", "$defs": definitions | {f"d{number}": {"type": "integer"}}}


def nested(keyword: str, number: int, *, in_list: bool) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(number):
        schema = {keyword: [schema] if in_list else schema}
    return schema


def conditions(number: int) -> dict[str, Any]:
    cases = [
        {"if": {"properties": {"k": {"const": i}}, "required": ["k"]}, "then": {"required": [f"r{i}"]}}
        for i in range(number)
    ]
    return {"type": "object", "properties": {"k": {"type": "integer"}}, "allOf": cases}


def tagged(number: int) -> dict[str, Any]:
    return {
        "oneOf": [
            {"type": "object", "properties": {"k": {"const": f"k{i}"}}, "required": ["k"]}
            for i in range(number)
        ]
    }


VALUES = [f"value {number} of many" for number in range(5000)]
CHOICES = [{"anyOf": [{keyword: number} for number in range(1, 31)]} for keyword in ("minimum", "maximum")]
ENFORCED: dict[str, Any] = {
    "maxLength of a billion": {"type": "string", "maxLength": 10**9},
    "maxItems of a million": {"type": "array", "maxItems": 10**6},
    "maxProperties of a million": {"type": "object", "maxProperties": 10**6},
    "4000 items": {"type": "array", "items": {"type": "integer"}, "minItems": 4000},
    "lists of lists": {"type": "array", "maxItems": 1000, "items": {"type": "array", "maxItems": 1000}},
    "a pattern that others backtrack on": {"type": "string", "pattern": "^(a+)+$"},
    "another": {"type": "string", "pattern": "(x+x+)+y"},
    "names of such a pattern": {"type": "object", "propertyNames": {"pattern": "^(a|aa)+$"}},
    "an enum of 5000": {"enum": VALUES},
    "an enum of 5000 and a pattern": {"enum": VALUES, "pattern": "^(v+)+alue"},
    "two enums": {"allOf": [{"enum": VALUES[:3000]}, {"enum": VALUES[2500:4000]}]},
    "5000 values that it is not": {"type": "string", "not": {"enum": VALUES}},
    "8000 integers": {"enum": list(range(8000)), "minimum": 10},
    "500 optional properties": record(500),
    "500 optional properties and others": record(500, additionalProperties=True),
    "2000 required properties": record(2000, required=[f"p{i}" for i in range(2000)]),
    "3000 places": {"type": "array", "prefixItems": [{"type": "integer"}] * 3000, "minItems": 3000},
    "2000 constants": {"anyOf": [{"const": value} for value in VALUES[:2000]]},
    "100 tagged branches": tagged(100),
    "1000 references": chain(1000),
    "60 opposites": nested("not", 60, in_list=False),
    "60 times oneOf": nested("oneOf", 60, in_list=True),
    "ten conditions": conditions(10),
    "bounds of a double": {"type": "number", "minimum": -1e308, "maximum": 1e308},
    "steps of 10^30": {"type": "integer", "multipleOf": 10**14},
    "a name of 50,000 characters": {"type": "object", "properties": {"n" * 50_000: {}}},
    "a constant of 100,000 characters": {"const": "x" * 100_000},
    "a recursive choice": {"oneOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "string"}]},
}
# keyword or word of the refusal
REFUSED: dict[str, tuple[Any, str]] = {
    "minLength of a billion": ({"type": "string", "minLength": 10**9}, "minLength"),
    "minItems of a million": ({"type": "array", "minItems": 10**6}, "minItems"),
    "minProperties of a million": ({"type": "object", "minProperties": 10**6}, "minProperties"),
    "minContains of a million": (
        {"contains": {"const": 1}, "type": "array", "minContains": 10**6},
        "contains",
    ),
    "counts in counts": ({"type": "string", "pattern": "^((((a{100}){100}){100}){100})$"}, "pattern"),
    "three patterns that remember": (
        {"type": "string", "allOf": [{"pattern": f"{letter}.{{60}}z"} for letter in "abc"]},
        "pattern",
    ),
    "an enum without a match": ({"enum": VALUES, "pattern": "^(v+)+x"}, "enum"),
    "1000 optional properties": (record(1000), "properties"),
    "27,000 ways": ({"allOf": [*CHOICES, {"anyOf": [{"multipleOf": i} for i in range(1, 31)]}]}, "anyOf"),
    "20 times three that exclude each other": (
        {"type": "object", "oneOf": [{"required": [f"{letter}{i}" for letter in "abc"]} for i in range(20)]},
        "oneOf",
    ),
    "1100 objects in objects": (objects_in_objects(1100), "nested too deep"),
    "200 times anyOf": (nested("anyOf", 200, in_list=True), "nested deeper"),
    "a bound of 400 digits": ({"type": "integer", "minimum": 10**400}, "minimum"),
    "a bound of 5000 digits": ({"type": "integer", "minimum": 10**5000}, "minimum"),
    "steps of a billionth": ({"type": "number", "multipleOf": 1e-9}, "multipleOf"),
    "steps of a large prime": ({"type": "integer", "multipleOf": 999_983}, "multipleOf"),
    "nothing beyond": ({"type": "number", "exclusiveMinimum": 0, "maximum": 1e-308}, "exclusiveMinimum"),
}


@pytest.mark.parametrize("case", ENFORCED)
def test_it_is_enforced_in_time(byte_grammar: Any, case: str) -> None:
    started_s = time.monotonic()
    grammar, draw = byte_grammar.of_schema(ENFORCED[case]), random.Random(7)
    assert time.monotonic() - started_s < MAX_SECONDS
    for _ in range(3):
        grammar.walk(draw, 200)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_time(case: str) -> None:
    schema, word = REFUSED[case]
    started_s = time.monotonic()
    with pytest.raises(SchemaRefusal, match=word.replace("$", r"\$")):
        schema_rules(schema)
    assert time.monotonic() - started_s < MAX_SECONDS


@pytest.mark.parametrize("case", REFUSED)
def test_less_of_it_is_asked_for_in_time_where_nobody_insists(case: str) -> None:
    started_s = time.monotonic()
    assert rules_as_far_as_possible(REFUSED[case][0]).lines
    assert time.monotonic() - started_s < MAX_SECONDS
