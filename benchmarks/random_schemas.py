"""JSON Schemas at random: instances of their own metaschema, by schemathesis, and mixtures of keywords.

What the metaschema allows is wide, and its parts seldom meet. The mixtures are narrow: few names, small numbers, many
keywords of one value, so that they contradict, overlap and refer to each other.
"""

import random
from collections.abc import Callable
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.generation.jsonschema.builder import build

Schema = dict[str, Any] | bool

TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
NAMES = ["a", "b", "c", "type", "x y", 'q"']
PATTERNS = [
    "^a", "b$", "^[a-c]*$", "^(?!a)", r"\d", r"^\w+$", "[^a]", "^.{2,3}$", "x|^y$", "^(a|bc)+$", r"\s", r"^\S*$",
]  # fmt: skip
FORMATS = ["date", "uuid", "ipv4", "email", "int32", "date-time", "password", "time", "uri", "duration"]
REGEXES = st.sampled_from(PATTERNS) | st.from_regex(
    r"\A\^?([a-c.]|\[[^]a-f]\]|\\[dws]|\(b\|c\)){1,3}[*+?]?\$?\Z"
)
LEAVES: list[Schema] = [
    True, {}, {"type": "string"}, {"type": "integer"}, {"type": "null"}, {"type": "boolean"}, {"type": "number"},
]  # fmt: skip


def metaschema(depth: int) -> dict[str, Any]:
    """Of draft 2020-12, with schemas in schemas so deep."""
    inner: dict[str, Any] = {"enum": [*LEAVES, False]} if depth <= 1 else metaschema(depth - 1)
    name = {"anyOf": [{"enum": NAMES}, {"type": "string", "maxLength": 4}]}
    several = {"type": "array", "items": inner, "minItems": 1, "maxItems": 3}
    by_name = {"type": "object", "propertyNames": name, "additionalProperties": inner, "maxProperties": 3}
    count = {"type": "integer", "minimum": 0, "maximum": 6}
    number = {"anyOf": [{"type": "integer", "minimum": -20, "maximum": 20}, {"type": "number"}]}
    names = {"type": "array", "items": name, "uniqueItems": True, "maxItems": 3}
    type_name = {"enum": TYPES}
    keywords: dict[str, Any] = {
        "type": {
            "anyOf": [type_name, {"type": "array", "items": type_name, "minItems": 1, "uniqueItems": True}]
        },
        "enum": {"type": "array", "minItems": 1, "maxItems": 4},
        "const": {},
        "multipleOf": {"type": "number", "exclusiveMinimum": 0},
        "pattern": {"type": "string", "format": "regex"},
        "format": {"enum": FORMATS},
        "uniqueItems": {"type": "boolean"},
        "required": names,
        "dependentRequired": {"type": "object", "propertyNames": name, "additionalProperties": names},
        "patternProperties": {**by_name, "propertyNames": {"type": "string", "format": "regex"}},
    }
    keywords |= dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], number)
    keywords |= dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minContains"], count)
    keywords |= dict.fromkeys(["maxContains", "minProperties", "maxProperties"], count)
    keywords |= dict.fromkeys(["properties", "dependentSchemas"], by_name)
    keywords |= dict.fromkeys(["allOf", "anyOf", "oneOf", "prefixItems"], several)
    keywords |= dict.fromkeys(["items", "contains", "additionalProperties", "propertyNames"], inner)
    keywords |= dict.fromkeys(["not", "if", "then", "else"], inner)
    keywords |= dict.fromkeys(["unevaluatedItems", "unevaluatedProperties"], inner)
    return {
        "type": "object",
        "properties": keywords,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 4,
    }


def of_the_metaschema(number: int, first_seed: int) -> list[Schema]:
    """So many instances; the same for the same seed and version of hypothesis."""
    found: list[Schema] = []

    @seed(first_seed)
    @settings(
        max_examples=number,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(build(metaschema(2), draft=jsonschema_rs.Draft202012, formats={"regex": REGEXES}))
    def collect(schema: Schema) -> None:
        found.append(schema)

    collect()
    return found[:number]


class Mixture:
    """Schemas of many keywords each, drawn with one seed."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._references = ["#/$defs/A", "#/$defs/B", *(["#"] if draw.random() < 0.4 else [])]

    def schema(self) -> Schema:
        """A whole one, with definitions where it may refer to some."""
        made = self._part(self._draw.randint(1, 3))
        if isinstance(made, dict) and "$ref" in repr(made):
            made["$defs"] = {"A": self._part(2), "B": self._part(1)}
        return made

    def _part(self, depth: int) -> Schema:
        draw = self._draw
        if depth <= 0 or draw.random() < 0.08:
            leaves = [*LEAVES, {"const": self._value()}]
            leaf = draw.choice([*leaves, False] if draw.random() < 0.2 else leaves)
            return dict(leaf) if isinstance(leaf, dict) else leaf
        schema: dict[str, Any] = {}
        for _ in range(draw.choice([1, 1, 2, 2, 3, 4])):
            schema |= draw.choice(KEYWORDS)(self, draw, depth - 1)
        return schema

    def _value(self, *, is_inner: bool = False) -> Any:
        draw = self._draw
        match draw.randrange(9):
            case 0 | 1 | 2 as index:
                return [None, True, False][index]
            case 3 | 4:
                return draw.randint(-3, 12)
            case 5:
                return draw.choice([1.5, -0.25, 0.1, 2.0, 1e3, 12345678901234567890])
            case 6:
                return draw.choice(["", "a", "ab", "x", "é", '"\\', "2020-01-01"])
            case 7:
                return [] if is_inner else [self._value(is_inner=True) for _ in range(draw.randrange(3))]
            case _:
                size = 0 if is_inner else draw.randrange(3)
                return {draw.choice(NAMES): self._value(is_inner=True) for _ in range(size)}

    def several(self, depth: int, most: int) -> list[Schema]:
        """Schemas, one at least."""
        return [self._part(depth) for _ in range(self._draw.randint(1, most))]

    def named(self, names: list[str], depth: int, most: int, least: int = 1) -> dict[str, Schema]:
        """Schemas by some of the names."""
        chosen = self._draw.sample(names, self._draw.randint(least, most))
        return {name: self._part(depth) for name in chosen}

    def part(self, depth: int) -> Schema:
        """One schema."""
        return self._part(depth)

    def values(self, most: int) -> list[Any]:
        """JSON values, one at least."""
        return [self._value() for _ in range(self._draw.randint(1, most))]

    def reference(self) -> str:
        """To a definition, or to the whole."""
        return self._draw.choice(self._references)


def _number(draw: random.Random) -> float:
    return draw.choice([draw.randint(-5, 10), draw.randint(0, 5), draw.choice([0.5, 1.5, -2.25, 0.1, 3.0])])


def _types(_: Mixture, draw: random.Random, depth: int) -> dict[str, Any]:
    return {"type": draw.choice(TYPES) if draw.random() < 0.8 else draw.sample(TYPES, draw.randint(1, 3))}


def _object(mixture: Mixture, draw: random.Random, depth: int) -> dict[str, Any]:
    required = draw.sample(NAMES, draw.randint(0, 2))
    return {"type": "object", "properties": mixture.named(NAMES, depth, 3, least=0), "required": required}


def _bound(keyword: str) -> Callable[[Mixture, random.Random, int], dict[str, Any]]:
    return lambda _, draw, depth: {keyword: _number(draw)}


def _count(keyword: str, most: int) -> Callable[[Mixture, random.Random, int], dict[str, Any]]:
    return lambda _, draw, depth: {keyword: draw.randint(0, most)}


def _inner(keyword: str) -> Callable[[Mixture, random.Random, int], dict[str, Any]]:
    return lambda mixture, _, depth: {keyword: mixture.part(depth)}


def _several(keyword: str, most: int) -> Callable[[Mixture, random.Random, int], dict[str, Any]]:
    return lambda mixture, _, depth: {keyword: mixture.several(depth, most)}


def _condition(mixture: Mixture, draw: random.Random, depth: int) -> dict[str, Any]:
    schema = {"if": mixture.part(depth), "then": mixture.part(depth)}
    return schema | ({"else": mixture.part(depth)} if draw.random() < 0.5 else {})


def _contains(mixture: Mixture, draw: random.Random, depth: int) -> dict[str, Any]:
    counts = {
        keyword: draw.randint(0, 3) for keyword in ("minContains", "maxContains") if draw.random() < 0.3
    }
    return {"contains": mixture.part(depth), **counts}


KEYWORDS: list[Callable[[Mixture, random.Random, int], dict[str, Any]]] = [
    _types,
    _types,
    _object,
    lambda mixture, _, depth: {"type": "array", "items": mixture.part(depth)},
    lambda _, draw, depth: {"type": draw.choice(["integer", "number", "string"])},
    lambda mixture, _, depth: {"enum": mixture.values(4)},
    lambda mixture, _, depth: {"const": mixture.values(1)[0]},
    *(_bound(keyword) for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    lambda _, draw, depth: {"multipleOf": draw.choice([1, 2, 3, 7, 0.5, 0.25, 0.1, 1.0, 10, 250, 360])},
    lambda _, draw, depth: {"pattern": draw.choice(PATTERNS)},
    lambda _, draw, depth: {"format": draw.choice(FORMATS)},
    *(
        _count(keyword, 3)
        for keyword in ("minLength", "minItems", "minProperties", "maxItems", "maxProperties")
    ),
    _count("maxLength", 4),
    _several("prefixItems", 3),
    *(_inner(keyword) for keyword in ("items", "propertyNames", "not", "unevaluatedProperties")),
    lambda _, draw, depth: {"uniqueItems": draw.random() < 0.7},
    lambda mixture, _, depth: {"properties": mixture.named(NAMES, depth, 3)},
    lambda _, draw, depth: {"required": draw.sample(NAMES, draw.randint(1, 2))},
    lambda mixture, draw, depth: {"additionalProperties": draw.choice([False, True, mixture.part(depth)])},
    lambda mixture, _, depth: {"patternProperties": mixture.named(PATTERNS, depth, 2)},
    _several("allOf", 2),
    _several("anyOf", 3),
    _several("oneOf", 3),
    _condition,
    lambda _, draw, depth: {
        "dependentRequired": {draw.choice(NAMES): draw.sample(NAMES, draw.randint(1, 2))}
    },
    lambda mixture, _, depth: {"dependentSchemas": mixture.named(NAMES, depth, 1)},
    lambda mixture, _, depth: {"$ref": mixture.reference()},
    _contains,
]
"""Each gives a keyword or a few that are often seen together."""
