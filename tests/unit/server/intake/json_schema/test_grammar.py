"""What is kept of a schema and what is refused: whole values that its grammar takes, and others that it does not."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import MAX_CHARACTERS, schema_rules

NUM_WALKS = 20


def closed(schema: Any, **more: Any) -> dict[str, Any]:
    """A closed object with the required property `a`."""
    return {
        "type": "object",
        "properties": {"a": schema},
        "required": ["a"],
        "additionalProperties": False,
    } | more


def tree() -> dict[str, Any]:
    below = {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}
    node = closed({"type": "integer"}) | {"required": ["a", "below"]}
    node["properties"] |= {"below": below}
    return {"$ref": "#/$defs/tree", "$defs": {"tree": node}}


# schema, values that can be written, values that cannot
ENFORCED: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "anyOf beside properties": (
        {
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"const": 2}},
            "additionalProperties": False,
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        [{"a": 1}, {"b": 2}, {"a": 1, "b": 2}],
        [8, None, {}, {"a": 2}, {"c": 1}],
    ),
    "anyOf beside bounds": (
        closed({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}], "minimum": 0, "maximum": 9}),
        [{"a": number} for number in (0, 1, 5, 6, 7, 8, 9)],
        [{"a": number} for number in (-1, 2, 3, 4, 10, 111, "5", None)] + [{}],
    ),
    "oneOf of a number and an integer": (
        closed({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        [{"a": 1.5}, {"a": -0.25}],
        [{"a": 15}, {"a": 0}, {"a": "x"}],
    ),
    "not": (
        closed({"not": {"type": "integer"}}),
        [{"a": 1.5}, {"a": None}, {"a": "5"}],
        [{"a": 15}, {"a": 1}],
    ),
    "if, then and else": (
        {
            "type": "object",
            "properties": {"kind": {"enum": ["x", "y"]}, "x": {"type": "null"}, "y": {"type": "null"}},
            "additionalProperties": False,
            "required": ["kind"],
            "if": {"properties": {"kind": {"const": "x"}}, "required": ["kind"]},
            "then": {"required": ["x"]},
            "else": {"required": ["y"]},
        },
        [{"kind": "x", "x": None}, {"kind": "y", "y": None}, {"kind": "x", "x": None, "y": None}],
        [{"kind": "x"}, {"kind": "y", "x": None}, {"kind": "x", "y": None}],
    ),
    "dependentRequired": (
        {
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"const": 2}},
            "additionalProperties": False,
            "dependentRequired": {"a": ["b"]},
        },
        [{}, {"b": 2}, {"a": 1, "b": 2}],
        [{"a": 1}],
    ),
    "dependentSchemas": (
        {
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"type": "integer"}},
            "additionalProperties": False,
            "dependentSchemas": {"a": {"properties": {"b": {"minimum": 5}}, "required": ["b"]}},
        },
        [{}, {"b": 2}, {"a": 1, "b": 5}],
        [{"a": 1}, {"a": 1, "b": 4}],
    ),
    "bounds beside a reference": (
        closed({"$ref": "#/$defs/i", "minimum": 5, "maximum": 9}, **{"$defs": {"i": {"type": "integer"}}}),
        [{"a": 5}, {"a": 9}],
        [{"a": 4}, {"a": 10}, {"a": "5"}],
    ),
    "an anchor": (
        closed({"$ref": "#i"}, **{"$defs": {"i": {"$anchor": "i", "type": "integer"}}}),
        [{"a": 5}],
        [{"a": "5"}],
    ),
    "a dynamic reference": (
        closed({"$dynamicRef": "#i"}, **{"$defs": {"i": {"$dynamicAnchor": "i", "type": "integer"}}}),
        [{"a": 5}],
        [{"a": "5"}],
    ),
    "an address within": (
        closed(
            {"$ref": "https://example.com/parts/i"},
            **{
                "$id": "https://example.com/whole",
                "$defs": {
                    "i": {"$id": "parts/i", "$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}},
                    "x": {"type": "integer"},
                },
            },
        ),
        [{"a": None}],
        [{"a": 5}],
    ),
    "a lookahead": (
        closed({"type": "string", "pattern": "^(?!x)[xy]$"}),
        [{"a": "y"}],
        [{"a": "x"}, {"a": "z"}],
    ),
    "a pattern beside a format": (
        closed({"type": "string", "format": "date", "pattern": "^20"}),
        [{"a": "2024-02-29"}],
        [{"a": "1999-01-01"}, {"a": "2023-02-29"}, {"a": "20"}],
    ),
    "a required name that properties lacks": (
        {"type": "object", "properties": {"a": {"const": 1}}, "required": ["b"]},
        [{"a": 1, "b": 5}, {"b": None}],
        [{}, {"a": 1}],
    ),
    "maxItems alone": ({"type": "array", "maxItems": 3}, [[], [1], [1, "x", None]], [[1, 2, 3, 4], "x"]),
    "a large constant": (
        {"const": 12345678901234567890123},
        [12345678901234567890123],
        [12345678901234567000000, 12345678901234567890124],
    ),
    "large integers of an enum": (
        {"enum": [2**63 + 1, 10**30, 3]},
        [2**63 + 1, 10**30, 3],
        [2**63, 2**63 + 2, 10**30 + 1],
    ),
    "a length beside an enum": ({"enum": ["x", "yy"], "minLength": 2}, ["yy"], ["x"]),
    "a pattern beside an enum": ({"enum": ["ab", "b", 5], "pattern": "^a"}, ["ab", 5], ["b"]),
    "names of a list, so many": (
        {
            "type": "object",
            "propertyNames": {"enum": ["a", "b", "c"]},
            "minProperties": 2,
            "additionalProperties": {"const": 1},
        },
        [{"a": 1, "b": 1}, {"a": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}],
        [{}, {"a": 1}, {"d": 1, "e": 1}],
    ),
    "a schema within itself": (
        tree(),
        [{"a": 1, "below": None}, {"a": 1, "below": {"a": 2, "below": None}}],
        [None, {"a": 1}, {"a": 1, "below": {}}],
    ),
    "integers between": (
        {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5.5},
        [4, 5],
        [3, 6, 4.5],
    ),
    "numbers beyond doubles' integers": (
        {"type": "integer", "minimum": 10**30, "maximum": 10**30 + 5},
        [10**30, 10**30 + 5],
        [10**30 - 1, 10**30 + 6],
    ),
    "bounds that doubles do not keep as they are written": (
        {"type": "integer", "minimum": 6.146848349632157e16, "maximum": 7.146848349632157e16},
        [61468483496321571, 71468483496321568],
        [61468483496321569, 71468483496321571],
    ),
    "not the empty array, and no other": (
        {"type": ["array", "null"], "items": False, "not": {"const": []}},
        [None],
        [[]],
    ),
    "not one that is too long anyway": (
        {"type": "array", "maxItems": 0, "not": {"const": [1]}},
        [[]],
        [[1]],
    ),
    "a constant with a fraction of zero": ({"const": 1.0, "type": "integer"}, [1.0], [2, 1.5]),
    "less than zero": ({"const": -0.0}, [-0.0], [1]),
    "quarters": (
        {"type": "number", "multipleOf": 0.25, "minimum": -1, "maximum": 1},
        [-1, 0.75, 0],
        [0.3, 1.25],
    ),
    "hundreds": ({"type": "integer", "multipleOf": 250}, [0, 250, -1250, 1000], [1, 50, 1001]),
    "sevens": ({"type": "integer", "multipleOf": 7, "minimum": 8}, [14, 7007], [7, 8, 15]),
    "a list of tuples": (
        {
            "type": "array",
            "prefixItems": [{"const": "x"}, {"type": "integer"}],
            "minItems": 2,
            "items": False,
        },
        [["x", 5]],
        [[], ["x"], ["y", 5], ["x", 5, 6]],
    ),
    "different items": (
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
        [["a", "b"], ["c", "a", "b"]],
        [["a"], ["a", "a"], ["a", "b", "a"]],
    ),
    "places that differ anyway": (
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "null"}],
            "items": False,
            "uniqueItems": True,
        },
        [["x", None], ["x"], []],
        [[None, "x"], ["x", None, 1]],
    ),
    "contains": (
        {"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 5}, "minContains": 2},
        [[5, 6], [1, 7, 2, 8], [5, 5, 5]],
        [[], [5], [1, 5], [1, 2, 3]],
    ),
    "contains, so many at most": (
        {"type": "array", "items": {"enum": [1, 5]}, "contains": {"minimum": 5}, "maxContains": 1},
        [[5], [1, 5, 1]],
        [[], [1], [5, 5], [5, 1, 5]],
    ),
    "contains behind places": (
        {
            "type": "array",
            "prefixItems": [{"type": "null"}],
            "items": {"enum": [1, 5]},
            "contains": {"const": 5},
        },
        [[None, 5], [None, 1, 5, 1]],
        [[], [None], [None, 1], [5]],
    ),
    "patterns of names": (
        {
            "type": "object",
            "patternProperties": {"^x": {"type": "integer"}, "y$": {"minimum": 5}},
            "additionalProperties": False,
        },
        [{}, {"x": 1}, {"xy": 5}, {"y": 7}],
        [{"x": "1"}, {"xy": 4}, {"y": 1}, {"z": 1}],
    ),
    "the number of members": (
        {
            "type": "object",
            "properties": {name: {"const": 1} for name in "abc"},
            "minProperties": 1,
            "maxProperties": 2,
        },
        [{"a": 1}, {"c": 1}, {"a": 1, "c": 1}],
        [{}, {"a": 1, "b": 1, "c": 1}],
    ),
    "unevaluated beside allOf": (
        {
            "allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}],
            "properties": {"b": {"type": "null"}},
            "unevaluatedProperties": False,
        },
        [{"b": None, "a": 5}, {"a": 1}],
        [{}, {"a": 5, "c": 1}, {"a": "5"}],
    ),
    "unevaluated beside a reference": (
        {
            "$ref": "#/$defs/base",
            "unevaluatedProperties": {"type": "null"},
            "$defs": {"base": closed({"const": 1}) | {"additionalProperties": True}},
        },
        [{"a": 1}, {"a": 1, "b": 5}],
        [{}, {"a": 2}],
    ),
    "unevaluated items": (
        {
            "type": "array",
            "allOf": [{"prefixItems": [{"const": 1}]}],
            "prefixItems": [True, {"const": 2}],
            "unevaluatedItems": False,
        },
        [[], [1], [1, 2]],
        [[2], [1, 2, 3], [1, 1]],
    ),
    "branches told apart by a constant": (
        {
            "oneOf": [
                closed({"const": "x"}) | {"properties": {"a": {"const": "x"}, "n": {"type": "integer"}}},
                closed({"const": "y"}) | {"properties": {"a": {"const": "y"}, "t": {"type": "null"}}},
            ]
        },
        [{"a": "x", "n": 5}, {"a": "y", "t": None}, {"a": "x"}, {"a": "y"}],
        [{"a": "x", "t": None}, {"a": "z"}, {}],
    ),
    "branches told apart by what they ask for": (
        {
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"const": 2}},
            "additionalProperties": False,
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        [{"a": 1}, {"b": 2}],
        [{}, {"a": 1, "b": 2}],
    ),
    "a tuple of an older draft": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "array",
            "items": [{"type": "integer"}, {"type": "string"}],
            "additionalItems": False,
            "minItems": 2,
        },
        [[1, "x"]],
        [[1], ["x", 1], [1, "x", 2]],
    ),
    "a name that is spelled otherwise": (
        {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}},
        [{"a": 1}, {"b": 2}],
        [{"a": 2}],
    ),
    "anything": (True, [None, 5, "x", [1, {"a": []}], {"b": 1.5}], []),
}


@pytest.mark.parametrize("case", ENFORCED)
def test_legal_values_can_be_written_and_no_others(byte_grammar: Any, case: str) -> None:
    schema, taken, refused = ENFORCED[case]
    grammar = byte_grammar.of_schema(schema)
    for value in taken:
        assert grammar.takes(json.dumps(value)), value
    for value in refused:
        assert not grammar.takes(json.dumps(value)), value


@pytest.mark.parametrize("case", ENFORCED)
def test_walks_of_random_weights_fit(byte_grammar: Any, case: str) -> None:
    schema = ENFORCED[case][0]
    grammar, draw, num_ended = byte_grammar.of_schema(schema), random.Random(7), 0
    for _ in range(NUM_WALKS):
        text = grammar.walk(draw)
        if text is not None:
            num_ended += 1
            validator_for(schema, Draft202012Validator)(schema).validate(json.loads(text))
    assert num_ended >= NUM_WALKS / 2


def test_a_letter_spelled_as_an_escape_does_not_pass_for_another_name(byte_grammar: Any) -> None:
    grammar = byte_grammar.of_schema(ENFORCED["a name that is spelled otherwise"][0])
    assert not grammar.takes('{"\\u0061": 2}')
    grammar = byte_grammar.of_schema({"type": "string", "pattern": "^[^a]*$"})
    assert grammar.takes('"b"')
    assert not grammar.takes('"\\u0061"')


def test_a_name_that_stands_twice_counts_once(byte_grammar: Any) -> None:
    grammar = byte_grammar.of_schema(ENFORCED["names of a list, so many"][0])
    assert not grammar.takes('{"a": 1, "a": 1}')


def test_free_strings_may_be_spelled_with_escapes(byte_grammar: Any) -> None:
    grammar = byte_grammar.of_schema({"type": "string", "maxLength": 2})
    for text in ('"\\u0061\\n"', '"\\ud83d\\ude00x"', '"\\/"'):
        assert grammar.takes(text), text
    for text in ('"\\ud83d"', '"abc"', '"\\x"', '"\n"'):
        assert not grammar.takes(text), text


# schema, pointer, words
REFUSED: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "a reference to a URL": (
        closed({"$ref": "https://example.com/x.json"}),
        "/properties/a/$ref",
        ("$ref", "https://example.com/x.json", "$defs"),
    ),
    "a reference to nothing": ({"$ref": "#/$defs/x"}, "/$ref", ("points to no schema",)),
    "a circle of references": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "/$defs/b/$ref",
        ("$ref", "circle"),
    ),
    "a circle through allOf": ({"allOf": [{"$ref": "#"}]}, "/allOf/0/$ref", ("circle",)),
    "no end": (closed({"$ref": "#"}), "/properties/a/$ref", ("comes to an end",)),
    "a constant of another type": ({"type": "string", "const": 5}, "/const", ("const", "no value fits")),
    "a name that may not be": (
        {"type": "object", "required": ["b"], "additionalProperties": False},
        "/additionalProperties",
        ("no value fits",),
    ),
    "bounds that contradict": (
        {"type": "integer", "minimum": 5, "maximum": 4},
        "/minimum",
        ("no value fits",),
    ),
    "false": (closed(False), "/properties/a", ("cannot be there",)),
    "a name twice": (
        {"type": "object", "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 2},
        "/minProperties",
        ("minProperties", "properties"),
    ),
    "an unknown keyword": ({"minimun": 3}, "/minimun", ("did you mean minimum",)),
    "OpenAPI's null": ({"type": "string", "nullable": True}, "/nullable", ('add "null" to type',)),
    "an unknown type": (closed({"type": "strin"}), "/properties/a/type", ("types are null",)),
    "an unknown format": ({"type": "string", "format": "mac"}, "/format", ("'mac'", "date-time")),
    "a pattern beyond automata": ({"type": "string", "pattern": r"(a)\1"}, "/pattern", (r"\1",)),
    "a pattern of names beyond automata": (
        {"type": "object", "patternProperties": {r"(?<=a)b/~": {}}},
        "/patternProperties/(?<=a)b~1~0",
        ("lookbehind",),
    ),
    "a pattern that it must not match and names without end": (
        {"type": "string", "allOf": [{"not": {"pattern": f"{letter}.{{60}}z"}} for letter in "abc"]},
        "/allOf/0/not/pattern",
        ("too large",),
    ),
    "items that differ": (
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        "/uniqueItems",
        ("uniqueItems", "enum"),
    ),
    "hundredths": ({"type": "number", "multipleOf": 0.01}, "/multipleOf", ("doubles",)),
    "branches that overlap": (
        {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "minLength": 3}]},
        "/oneOf",
        ("oneOf", "/oneOf/0", "anyOf"),
    ),
    "the opposite of a format": ({"not": {"format": "date"}}, "/not/format", ("opposite",)),
    "a number beyond doubles": (closed({"minimum": float("inf")}), "/properties/a/minimum", ("double",)),
    "half a character": ({"const": ["a", "\ud800"]}, "/const/1", ("surrogate",)),
    "half a character as a name": ({"properties": {"\ud800": {}}}, "/properties", ("surrogate",)),
    "a malformed keyword": (
        {"$defs": {"a/b~c": {"required": "a"}}},
        "/$defs/a~1b~0c/required",
        ("list of names",),
    ),
    "no schema": ([], "", ("object, true or false",)),
    "too long": ({"enum": ["x" * MAX_CHARACTERS]}, "", (str(MAX_CHARACTERS),)),
    "two of one address": (
        {"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}},
        "/$defs/b/$id",
        ("read alike",),
    ),
    "a newer keyword in an older draft": (
        {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{}]},
        "/prefixItems",
        ("draft",),
    ),
    "a list of items in the newest draft": ({"items": [{}]}, "/items", ("prefixItems",)),
    "an unknown draft": ({"$schema": "http://json-schema.org/draft-04/schema#"}, "/$schema", ("draft-07",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_keyword_and_its_place(case: str) -> None:
    schema, pointer, words = REFUSED[case]
    with pytest.raises(SchemaRefusal) as refused:
        schema_rules(schema)
    assert refused.value.pointer == pointer
    assert repr(pointer) in str(refused.value) or not pointer
    for word in words:
        assert word in str(refused.value)
