"""What the grammars of schemas let a model write is JSON that fits: walks at random, and values that do not fit."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from steiner.server.intake.json_schema.document import SchemaRefusal

NAMES = st.sampled_from(["a", "b", "é", 'q"'])
TEXTS = st.text(st.sampled_from('abé"\\\n😀'), max_size=3)
SCALARS = st.none() | st.booleans() | st.integers(-5, 10) | st.sampled_from([0.5, -1.25, 2.0]) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
COUNTS = st.integers(0, 3)
NUMBERS = st.integers(-5, 10) | st.sampled_from([0.5, -2.25])
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
PATTERNS = st.sampled_from(["^a", "b$", "^[^a]*$", r"\W", "^.{2}$", '^"', "^(?!a)"])


def several(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, min_size=1, max_size=3)


def keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    names = st.lists(NAMES, max_size=2, unique=True)
    found = {
        "type": TYPES,
        "enum": several(VALUES),
        "const": VALUES,
        "minimum": NUMBERS,
        "exclusiveMaximum": NUMBERS,
        "multipleOf": st.sampled_from([1, 2, 7, 0.25, 250]),
        "pattern": PATTERNS,
        "required": names,
        "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
    }
    found |= dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "maxContains"], COUNTS)
    found |= dict.fromkeys(["minProperties", "maxProperties"], COUNTS)
    found |= dict.fromkeys(["prefixItems", "allOf", "anyOf", "oneOf"], several(inner))
    found |= dict.fromkeys(["items", "contains", "additionalProperties", "propertyNames"], inner)
    return found | dict.fromkeys(
        ["not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems"], inner
    )


@st.composite
def drawn(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A few keywords: nothing fits many at once."""
    every = keywords(inner)
    chosen = draw(st.lists(st.sampled_from(sorted(every)), min_size=1, max_size=4, unique=True))
    return {keyword: draw(every[keyword]) for keyword in chosen}


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.builds(dict, type=TYPES) | st.builds(dict, const=VALUES), drawn, max_leaves=6
)


def check_place(schema: Any, pointer: str) -> None:
    """A refusal points to a part of the schema; only `false` is refused as a whole."""
    assert pointer or schema is False
    part = schema
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        part = part[int(name)] if isinstance(part, list) else part[name]


@settings(deadline=None, max_examples=250)
@given(schema=SCHEMAS, seed=st.integers(0, 2**32), values=st.lists(VALUES, max_size=4))
def test_what_can_be_written_fits(byte_grammar: Any, schema: Any, seed: int, values: list[Any]) -> None:
    place = None
    try:
        grammar = byte_grammar.of_schema(schema)
    except SchemaRefusal as refusal:
        place = refusal.pointer
    if place is not None:
        check_place(schema, place)
        return
    validator, draw = Draft202012Validator(schema), random.Random(seed)
    for _ in range(6):
        text = grammar.walk(draw)
        if text is not None:
            validator.validate(json.loads(text))
    for value in values:
        if not validator.is_valid(value):
            assert not grammar.takes(json.dumps(value)), value
