"""A JSON Schema as it was sent: where each part stands, what references point to, and which keywords it may have.

The keywords are an allow-list. What is not on it is refused by name and place, whether or not the standard would let a
checker pass it over: an answer must never break a rule that somebody wrote down.

https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any] | bool

MAX_NESTING = 64

ANNOTATIONS = frozenset(
    {
        "$comment",
        "$schema",
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "$defs",
        "definitions",
        "$vocabulary",
        "title",
        "description",
        "default",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "discriminator",
        "externalDocs",
        "xml",
    }
)
"""Say nothing of what a value may be."""
SCHEMAS = frozenset(
    {
        "additionalProperties",
        "propertyNames",
        "items",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "additionalItems",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Hold a schema."""
LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
COUNTS = frozenset(
    {
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minContains",
        "maxContains",
    }
)
NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
TEXTS = frozenset({"pattern", "format", "$ref", "$dynamicRef", "$anchor", "$dynamicAnchor"})
OTHERS = frozenset({"type", "enum", "const", "required", "dependentRequired", "uniqueItems", "dependencies"})
KEYWORDS = ANNOTATIONS | SCHEMAS | LISTS_OF_SCHEMAS | MAPS_OF_SCHEMAS | COUNTS | NUMBERS | TEXTS | OTHERS
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
DRAFTS = (
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
HINTS = {
    "nullable": 'add "null" to type instead',
    "$recursiveRef": "use $ref",
    "strict": "it belongs beside the schema, not into it",
    "optional": "leave the name out of required instead",
}
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords whose schemas are of the same value, and not of a part of it."""


class SchemaRefusal(Exception):
    """A schema cannot be enforced.

    Attributes:
        pointer: to the keyword that is at fault, in the schema (RFC 6901); empty for the whole schema.
        reason: why, and what to do.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        self.reason = reason
        keyword = next((step for step in reversed(pointer.split("/")) if step in KEYWORDS), None)
        keyword = keyword or _unescaped(pointer.rpartition("/")[2])
        super().__init__(f"{keyword} at {pointer!r}: {reason}" if pointer else reason)


@dataclass(frozen=True, slots=True)
class Node:
    """A schema within the document, or one made of its parts.

    Attributes:
        id: nodes with the same id are the same.
        pointer: to the schema, or to what it was made of.
        is_made: not a part of the document.
    """

    id: str
    pointer: str = field(compare=False)
    schema: Schema = field(compare=False, repr=False)
    is_made: bool = field(default=False, compare=False)

    @property
    def keywords(self) -> dict[str, Any]:
        """Those of the schema; none of `true` and `false`."""
        return self.schema if isinstance(self.schema, dict) else {}

    def at(self, *path: str | int) -> str:
        """The pointer to a part."""
        return self.pointer if self.is_made else extended(self.pointer, *path)

    def child(self, *path: str | int) -> Node:
        """The schema at a path within."""
        found: Any = self.schema
        for step in path:
            found = found[step]
        return Node(extended(self.id, *path), self.at(*path), found, self.is_made)


class SchemaDocument:
    """A checked schema.

    Raises:
        SchemaRefusal: it has a keyword that is not known or malformed, points to nothing or in circles, or is nested
            too deep.
    """

    def __init__(self, schema: object) -> None:
        if not isinstance(schema, dict | bool):
            raise SchemaRefusal("", "it must be an object, true or false")
        self._nodes: dict[str, Node] = {}
        self._anchors: dict[str, list[Node]] = {}
        self.root = Node("", "", schema)
        self._base = schema.get("$id", "") if isinstance(schema, dict) else ""
        for node in _walk(self.root):
            self._nodes[node.pointer] = node
            self._check(node)
        self._refuse_circles()

    def target(self, node: Node, keyword: str = "$ref") -> Node:
        """What a node's reference points to.

        Raises:
            SchemaRefusal: nothing in this document.
        """
        reference = node.keywords[keyword]
        base, _, fragment = reference.partition("#")
        fragment = unquote(fragment)
        found: Node | None = None
        if base and base.rstrip("#") != str(self._base).rstrip("#"):
            raise SchemaRefusal(
                node.at(keyword), f"{reference[:100]!r} is outside of this schema; copy it into $defs"
            )
        if not fragment or fragment.startswith("/"):
            found = self._nodes.get(fragment)
        elif len(named := self._anchors.get(fragment, [])) == 1:
            found = named[0]
        if found is None:
            raise SchemaRefusal(node.at(keyword), f"{reference[:100]!r} points to no schema of this document")
        return found

    def first_reference(self) -> str:
        """The pointer to the first `$ref`; that to the whole where there is none."""
        return next((node.at("$ref") for node in self._nodes.values() if "$ref" in node.keywords), "")

    def widest(self) -> str:
        """The pointer to the keyword that holds most; that to the whole where there is none."""
        sizes = [
            (len(json.dumps(value)), node.at(keyword))
            for node in self._nodes.values()
            for keyword, value in node.keywords.items()
            if keyword not in ANNOTATIONS
        ]
        return max(sizes, key=lambda one: one[0], default=(0, ""))[1]

    def _check(self, node: Node) -> None:
        for keyword, value in node.keywords.items():
            reason = _fault(keyword, value, is_root=node.pointer == "")
            if reason is not None:
                raise SchemaRefusal(node.at(keyword), reason)
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword in node.keywords:
                self._anchors.setdefault(node.keywords[keyword], []).append(node)

    def _refuse_circles(self) -> None:
        """Of references and applicators that come back to a schema without going into the value."""
        finished: set[str] = set()
        for start in self._nodes.values():
            path: dict[str, None] = {}
            waiting: list[tuple[Node, bool]] = [(start, False)]
            while waiting:
                node, is_left = waiting.pop()
                if is_left:
                    path.pop(node.pointer)
                    finished.add(node.pointer)
                elif node.pointer not in finished:
                    path[node.pointer] = None
                    waiting.append((node, True))
                    for pointer, following in self._in_place(node):
                        if following.pointer in path:
                            raise SchemaRefusal(
                                pointer, "it leads back to itself without going into the value: a circle"
                            )
                        waiting.append((following, False))

    def _in_place(self, node: Node) -> Iterator[tuple[str, Node]]:
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in node.keywords:
                yield node.at(keyword), self.target(node, keyword)
        for keyword in IN_PLACE:
            for path in _paths_of(keyword, node.keywords):
                yield node.at(*path), node.child(*path)


def extended(pointer: str, *path: str | int) -> str:
    """A pointer and further steps (RFC 6901)."""
    return pointer + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def _walk(root: Node) -> Iterator[Node]:
    waiting = [(root, 1)]
    while waiting:
        node, nesting = waiting.pop()
        if nesting > MAX_NESTING:
            raise SchemaRefusal(node.pointer, f"it is nested deeper than {MAX_NESTING} levels; flatten it")
        yield node
        paths = [path for keyword in node.keywords for path in _paths_of(keyword, node.keywords)]
        waiting += [(node.child(*path), nesting + 1) for path in reversed(paths)]


def _paths_of(keyword: str, schema: dict[str, Any]) -> list[tuple[str | int, ...]]:
    """Where a keyword holds schemas."""
    value = schema.get(keyword)
    is_list = isinstance(value, list)
    if (keyword in LISTS_OF_SCHEMAS and is_list) or (keyword == "items" and is_list):
        assert isinstance(value, list)
        paths: list[tuple[str | int, ...]] = [(keyword, index) for index in range(len(value))]
    elif keyword in MAPS_OF_SCHEMAS and isinstance(value, dict):
        paths = [(keyword, name) for name in value]
    elif keyword == "dependencies" and isinstance(value, dict):
        paths = [(keyword, name) for name, one in value.items() if not isinstance(one, list)]
    elif keyword in SCHEMAS and keyword in schema:
        paths = [(keyword,)]
    else:
        paths = []
    return paths


def _fault(keyword: str, value: object, *, is_root: bool) -> str | None:
    """What is wrong with a keyword or what it has."""
    if keyword.startswith("x-"):
        return None
    if keyword not in KEYWORDS:
        return _unknown(keyword)
    fault: str | None = None
    if keyword in SCHEMAS and not isinstance(value, dict | bool):
        fault = "it must be a schema"
        if keyword == "items" and isinstance(value, list):
            fault = "since draft 2020-12 a list of schemas is called prefixItems"
    elif keyword in LISTS_OF_SCHEMAS and not (isinstance(value, list) and value and _all_schemas(value)):
        fault = "it must be a list of schemas that is not empty"
    elif keyword in MAPS_OF_SCHEMAS and not (isinstance(value, dict) and _all_schemas(value.values())):
        fault = "it must be an object of schemas"
    elif keyword in COUNTS and not _is_count(value):
        fault = "it must be an integer of at least 0"
    elif keyword in NUMBERS and not _is_number(value):
        fault = "it must be a number"
    elif keyword in TEXTS and not isinstance(value, str):
        fault = "it must be a string"
    return fault or _fault_of_value(keyword, value, is_root=is_root)


def _fault_of_value(keyword: str, value: Any, *, is_root: bool) -> str | None:
    fault: str | None = None
    match keyword:
        case "multipleOf" if value <= 0:
            fault = "it must be above 0"
        case "type":
            names = value if isinstance(value, list) else [value]
            if not names or any(name not in TYPES for name in names if isinstance(name, str)):
                fault = f"types are {', '.join(TYPES)}"
            elif not all(isinstance(name, str) for name in names):
                fault = "it must be the name of a type, or a list of names"
        case "enum" if not (isinstance(value, list) and value):
            fault = "it must be a list of values that is not empty"
        case "required" if not _is_names(value):
            fault = "it must be a list of names"
        case "dependentRequired" if not (isinstance(value, dict) and all(map(_is_names, value.values()))):
            fault = "it must be an object of lists of names"
        case "dependencies" if not (
            isinstance(value, dict)
            and all(_is_names(one) or isinstance(one, dict | bool) for one in value.values())
        ):
            fault = "it must be an object of lists of names or schemas"
        case "uniqueItems" if not isinstance(value, bool):
            fault = "it must be true or false"
        case "$id" if not is_root:
            fault = "a schema with an address of its own inside of another is not supported; leave $id out"
        case "$schema" if not (isinstance(value, str) and value.rstrip("#") in DRAFTS):
            fault = f"drafts that are read are {', '.join(DRAFTS)}"
    return fault


def _unknown(keyword: str) -> str:
    if keyword in HINTS:
        return f"this keyword is not known; {HINTS[keyword]}"
    near = difflib.get_close_matches(keyword, sorted(KEYWORDS), n=1, cutoff=0.75)
    return (
        f"this keyword is not known; did you mean {near[0]}?"
        if near
        else "this keyword is not known; leave it out"
    )


def _all_schemas(values: Any) -> bool:
    return all(isinstance(value, dict | bool) for value in values)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value - value == 0


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)  # type: ignore[call-overload, operator]


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
