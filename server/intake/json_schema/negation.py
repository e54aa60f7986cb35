"""The opposite of a schema, as ways to satisfy it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from steiner.server.intake.json_schema.document import Node, Schema, SchemaRefusal
from steiner.server.intake.json_schema.formats import WITHOUT_RULES
from steiner.server.intake.json_schema.keywords import ANNOTATIONS
from steiner.server.intake.json_schema.kinds import KINDS, KINDS_OF_TYPE

Way = tuple[Node, ...]
"""Schemas that hold together."""
MAX_WAYS = 256

_BOUNDS = {
    "minimum": "exclusiveMaximum",
    "maximum": "exclusiveMinimum",
    "exclusiveMinimum": "maximum",
    "exclusiveMaximum": "minimum",
}
_LEAST = {
    "minLength": ("string", "maxLength"),
    "minItems": ("array", "maxItems"),
    "minProperties": ("object", "maxProperties"),
}
_MOST = {most: (kind, least) for least, (kind, most) in _LEAST.items()}
_WITHOUT_EFFECT = frozenset({"then", "else", "minContains", "maxContains", "additionalItems"})


def made(origin: Node, schema: Schema, *path: str | int) -> Node:
    """A schema that stands nowhere in the document; errors point to where it comes from."""
    text, pointer = json.dumps(schema, sort_keys=True), origin.at(*path)
    return Node(f"{pointer}~{text}", pointer, schema, is_made=True)


class Opposites:
    """Finds them.

    Args:
        target: resolves the reference of a node.
    """

    def __init__(self, target: Callable[[Node, str], Node]) -> None:
        self._target = target

    def of(self, node: Node) -> list[Way]:
        """Ways not to fit a schema; none where everything fits it.

        Raises:
            SchemaRefusal: a keyword has no opposite that can be enforced, or there are too many ways.
        """
        if isinstance(node.schema, bool):
            return [] if node.schema else [()]
        ways: list[Way] = []
        for keyword, value in node.keywords.items():
            if keyword not in ANNOTATIONS and not keyword.startswith("x-"):
                ways += self._of_keyword(node, keyword, value)
        if len(ways) > MAX_WAYS:
            raise SchemaRefusal(
                node.pointer, f"there are more than {MAX_WAYS} ways not to fit it; simplify it"
            )
        return ways

    def _of_keyword(self, node: Node, keyword: str, value: Any) -> list[Way]:
        match keyword:
            case "$ref" | "$dynamicRef":
                return self.of(self._target(node, keyword))
            case "not":
                return [(node.child("not"),)]
            case "allOf":
                return [way for index in range(len(value)) for way in self.of(node.child("allOf", index))]
            case "anyOf":
                return self._together(
                    node, [self.of(node.child("anyOf", index)) for index in range(len(value))]
                )
            case "if":
                return self._of_condition(node)
            case _:
                return [(made(node, schema, keyword),) for schema in _simple(node, keyword, value)]

    def _of_condition(self, node: Node) -> list[Way]:
        condition = node.child("if")
        ways: list[Way] = []
        if "then" in node.keywords:
            ways += [(condition, *way) for way in self.of(node.child("then"))]
        if "else" in node.keywords:
            ways += self._together(node, [self.of(condition), self.of(node.child("else"))])
        return ways

    def _together(self, node: Node, choices: list[list[Way]]) -> list[Way]:
        combined: list[Way] = [()]
        for ways in choices:
            combined = [(*before, *way) for before in combined for way in ways]
            if len(combined) > MAX_WAYS:
                raise SchemaRefusal(
                    node.pointer, f"there are more than {MAX_WAYS} ways not to fit it; simplify it"
                )
        return combined


def _simple(node: Node, keyword: str, value: Any) -> list[dict[str, Any]]:
    """Schemas any of which breaks a keyword."""
    match keyword:
        case "type":
            names = value if isinstance(value, list) else [value]
            taken = {kind for name in names for kind in KINDS_OF_TYPE[name]}
            return [{"$kinds": [kind for kind in KINDS if kind not in taken]}]
        case "enum" | "const":
            return [{"$excluded": value if keyword == "enum" else [value]}]
        case "pattern":
            return [{"type": "string", "$not_pattern": value}]
        case "required":
            return [{"type": "object", "properties": {name: False}} for name in value]
        case "properties":
            return [
                {"type": "object", "required": [name], "properties": {name: {"not": schema}}}
                for name, schema in value.items()
            ]
        case "dependentRequired":
            return [
                {"type": "object", "required": [name], "properties": {other: False}}
                for name, others in value.items()
                for other in others
                if other != name
            ]
        case _ if keyword in _BOUNDS:
            return [{"type": "number", _BOUNDS[keyword]: value}]
        case _ if keyword in _LEAST:
            kind, most = _LEAST[keyword]
            return [{"type": kind, most: int(value) - 1}] if value else []
        case _ if keyword in _MOST:
            kind, least = _MOST[keyword]
            return [{"type": kind, least: int(value) + 1}]
    if value is True or (keyword == "uniqueItems" and not value):
        return []
    if keyword in _WITHOUT_EFFECT or (keyword == "format" and value in WITHOUT_RULES):
        return []
    raise SchemaRefusal(
        node.at(keyword), "its opposite, which not, if or oneOf asks for here, is not supported"
    )
