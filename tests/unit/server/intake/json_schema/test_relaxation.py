"""Schemas that nobody insists on: never refused, and kept as far as they can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.server.intake.answer_grammar import grammar_text
from steiner.server.intake.json_schema.relaxation import rules_as_far_as_possible


def grammar_of(byte_grammar: Any, schema: object) -> Any:
    rules = rules_as_far_as_possible(schema)
    return byte_grammar(grammar_text(rules.root, [rules]))


# schema, arguments that can be written, others
CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "no type": ({"properties": {"a": {"type": "integer"}}}, [{"a": 5}, {}], [{"a": "5"}, 5, None]),
    "another type": ({"type": "string"}, [{}, {"a": 5}], ["x"]),
    "a list of types": ({"type": ["object", "null"], "required": ["a"]}, [{"a": 1}], [None, {}]),
    "a reference": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "required": ["b"]}}},
        [{"b": 1}],
        [{}, 1],
    ),
    "a choice": (
        {
            "anyOf": [
                {"type": "object", "required": ["a"]},
                {"type": "object", "required": ["b"]},
                {"type": "null"},
            ]
        },
        [{"a": 1}, {"b": 1}],
        [{}, None],
    ),
    "an unknown keyword": (
        {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}, "required": ["a"]},
        [{"a": "x"}],
        [{}, {"a": 5}],
    ),
    "an unknown format": (
        {"type": "object", "properties": {"a": {"type": "string", "format": "mac"}, "b": {"const": 1}}},
        [{"a": "x", "b": 1}],
        [{"a": 5}, {"b": 2}],
    ),
    "a reference to elsewhere": (
        {"type": "object", "properties": {"a": {"$ref": "https://example.com"}, "b": {"const": 1}}},
        [{"a": [1], "b": 1}],
        [{"b": 2}],
    ),
    "a circle": (
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}, "b": {"const": 1}}},
        [{"a": 5, "b": 1}],
        [{"b": 2}],
    ),
    "items that differ": (
        {
            "type": "object",
            "properties": {"a": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}},
        },
        [{"a": ["x", "x"]}],
        [{"a": [1]}],
    ),
    "an impossible opposite": (
        {"type": "object", "properties": {"a": {"not": {"format": "date"}, "minimum": 5}}},
        [{"a": 5}, {"a": "x"}],
        [{"a": 4}],
    ),
    "keywords of the wrong kind": (
        {"type": "object", "properties": {"a": {"type": "strin"}, "b": 5}, "required": "a"},
        [{}],
        [5],
    ),
    "properties of the wrong kind": ({"type": "object", "properties": []}, [{"a": 1}], [[]]),
    "a list of another kind": ({"allOf": {"type": "object"}}, [{}], [5]),
    "nothing fits": ({"type": "object", "required": ["a"], "properties": {"a": False}}, [{"a": 5}], [5]),
    "two mistakes in one list": (
        {
            "anyOf": [{"typ": "object"}, {"required": ["a"], "typ": "object"}],
            "properties": {"a": {"const": 1}},
        },
        [{"a": 1}],
        [{"a": 2}],
    ),
    "an older draft's tuple": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {
                "a": {"items": [{"format": "mac", "type": "string"}, {"const": 1}], "type": "array"}
            },
        },
        [{"a": ["x", 1]}],
        [{"a": ["x", 2]}],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_kept_is_kept_and_the_rest_is_free(byte_grammar: Any, case: str) -> None:
    schema, taken, refused = CASES[case]
    grammar = grammar_of(byte_grammar, schema)
    for value in taken:
        assert grammar.takes(json.dumps(value)), value
    for value in refused:
        assert not grammar.takes(json.dumps(value)), value


NAMES = """
type properties required items anyOf oneOf allOf not if then $ref $id $defs const enum pattern format minimum maxLength
minItems multipleOf additionalProperties patternProperties dependentRequired x
"""
KEYWORDS = st.sampled_from(NAMES.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JSON = st.recursive(
    SCALARS | st.sampled_from(["object", "#", "^("]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(schema=st.dictionaries(KEYWORDS, JSON, max_size=5))
def test_whatever_comes_is_never_refused(schema: dict[str, Any]) -> None:
    assert rules_as_far_as_possible(schema).lines


def test_the_schema_itself_is_left_as_it_was() -> None:
    schema = {"type": "object", "properties": {"a": {"format": "mac"}}}
    before = json.dumps(schema)
    rules_as_far_as_possible(schema)
    assert json.dumps(schema) == before
