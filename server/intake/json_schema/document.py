"""A JSON Schema as it was sent: where each part stands, and what references point to.

https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urljoin

from steiner.server.intake.json_schema.keywords import (
    ANNOTATIONS,
    KEYWORDS,
    LISTS_OF_SCHEMAS,
    MAPS_OF_SCHEMAS,
    SCHEMAS,
    draft_of,
    fault_of,
)

Schema = dict[str, Any] | bool

MAX_NESTING = 64

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
        self._addresses: dict[str, str] = {}
        self._resources: dict[str, Node] = {}
        self._anchors: dict[tuple[str, str], Node] = {}
        self._dynamic: Counter[str] = Counter()
        self.root = Node("", "", schema)
        named = draft_of(self.root.keywords.get("$schema"))
        self.draft = 2020 if named is None else named
        for node in _walk(self.root):
            self._nodes[node.pointer] = node
            self._check(node)
        self._refuse_circles()

    def target(self, node: Node, keyword: str = "$ref") -> Node:
        """What a node's reference points to.

        Raises:
            SchemaRefusal: nothing in this document, or more than one schema.
        """
        reference: str = node.keywords[keyword]
        address, _, fragment = reference.partition("#")
        base = self._address_of(node.pointer)
        resource = self._resources.get(urljoin(base, address) if address else base)
        if resource is None:
            raise SchemaRefusal(
                node.at(keyword), f"{reference[:100]!r} is outside of this schema; copy it into $defs"
            )
        fragment = unquote(fragment)
        if not fragment or fragment.startswith("/"):
            found = self._nodes.get(resource.pointer + fragment)
        else:
            found = self._anchors.get((self._address_of(resource.pointer), fragment))
        if found is None:
            raise SchemaRefusal(node.at(keyword), f"{reference[:100]!r} points to no schema of this document")
        if keyword == "$dynamicRef" and self._dynamic[fragment] > 1:
            raise SchemaRefusal(
                node.at(keyword), f"several schemas have the $dynamicAnchor {fragment[:100]!r}"
            )
        return found

    def _address_of(self, pointer: str) -> str:
        """The URI of the resource that a pointer is in."""
        while pointer not in self._addresses:
            pointer = pointer.rpartition("/")[0]
        return self._addresses[pointer]

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
            reason = fault_of(keyword, value, self.draft)
            if reason is not None:
                raise SchemaRefusal(node.at(keyword), reason)
        self._name(node)

    def _name(self, node: Node) -> None:
        """Note by what references may name a schema."""
        address, _, anchor = node.keywords.get("$id", "").partition("#")
        parent = "" if not node.pointer else self._address_of(node.pointer)
        if not node.pointer or address:
            uri = urljoin(parent, address)
            if uri in self._resources or (node.pointer and "$ref" in node.keywords and self.draft < 2019):
                raise SchemaRefusal(node.at("$id"), "it is not read alike everywhere; leave it out")
            self._addresses[node.pointer] = uri
            self._resources[uri] = node
        anchors = [node.keywords[name] for name in ("$anchor", "$dynamicAnchor") if name in node.keywords]
        for name in [*anchors, *([anchor] if anchor else [])]:
            place = (self._address_of(node.pointer), name)
            if self._anchors.setdefault(place, node) is not node:
                raise SchemaRefusal(node.pointer, f"two schemas have the anchor {name[:100]!r}")
        self._dynamic.update(anchors[-1:] if "$dynamicAnchor" in node.keywords else ())

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
