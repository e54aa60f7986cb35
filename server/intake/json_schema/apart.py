"""Whether two schemas surely have no value in common, by what is quick to see.

Branches of a `oneOf` mostly tell themselves apart by a type, a constant, or a member that has a constant. Whether
anything else fits two of them is a longer search, and one for every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from steiner.server.intake.json_schema.document import Node, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of, kind_of
from steiner.server.intake.json_schema.rules import NodeSet, nodes_of

MAX_DEPTH = 3
"""Of members in members."""


class Apartness:
    """Answers that for the schemas of one document.

    Args:
        ways: the facts of each way to satisfy schemas.
    """

    def __init__(self, ways: Callable[[NodeSet], list[Facts]]) -> None:
        self._ways = ways
        self._keys: dict[int, frozenset[Hashable]] = {}

    def of(self, one: Node, other: Node) -> bool:
        """Whether it is sure; false for schemas that only a longer search tells apart."""
        try:
            return self._are_apart(frozenset({one}), frozenset({other}), MAX_DEPTH)
        except SchemaRefusal:
            return False

    def _are_apart(self, one: NodeSet, other: NodeSet, depth: int) -> bool:
        if not one or not other:
            return False
        return all(
            self._facts_are_apart(mine, theirs, depth)
            for mine in self._ways(one)
            for theirs in self._ways(other)
        )

    def _facts_are_apart(self, one: Facts, other: Facts, depth: int) -> bool:
        kinds = _kinds(one) & _kinds(other)
        if not kinds:
            return True
        if one.enum is not None and other.enum is not None:
            return not self._keys_of(one.enum) & self._keys_of(other.enum)
        return kinds == {"object"} and depth > 0 and self._members_are_apart(one, other, depth - 1)

    def _members_are_apart(self, one: Facts, other: Facts, depth: int) -> bool:
        return any(
            self._are_apart(_member(one, name), _member(other, name), depth)
            for name in one.required
            if name in other.required
        )

    def _keys_of(self, values: list[Any]) -> frozenset[Hashable]:
        found = self._keys.get(id(values))
        if found is None:
            # The list belongs to facts that `ways` keeps, so its address stays its own.
            found = self._keys[id(values)] = frozenset(map(key_of, values))
        return found


def _kinds(facts: Facts) -> frozenset[str]:
    return facts.kinds if facts.enum is None else facts.kinds & set(map(kind_of, facts.enum))


def _member(facts: Facts, name: str) -> NodeSet:
    """Schemas that the member surely has to fit; there may be more."""
    return nodes_of(rule.properties.get(name) for rule in facts.objects)
