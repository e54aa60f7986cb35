"""What schemas say of the parts of a value: of the elements of arrays and of the members of objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from steiner.server.intake.json_schema.document import Node
from steiner.server.intake.json_schema.patterns import Condition

NodeSet = frozenset[Node]
"""Schemas of one value together; the empty set allows any."""


def nodes_of(found: Iterable[Node | None]) -> NodeSet:
    """Schemas that hold together, less those that any value fits."""
    return frozenset(
        node for node in found if node is not None and node.schema is not True and node.schema != {}
    )


@dataclass(frozen=True, slots=True)
class ArrayRule:
    """Schemas of the elements, by place and from there on.

    Attributes:
        rest: behind the prefix; None for any.
    """

    prefix: tuple[Node, ...]
    rest: Node | None

    def at(self, index: int) -> Node | None:
        """The schema of one element."""
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True)
class Contains:
    """The schema that so many items fit at least."""

    node: Node
    least: int


@dataclass(frozen=True, slots=True)
class PatternRule:
    """The schema of the members whose names match a pattern."""

    conditions: tuple[Condition, ...]
    node: Node


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """Schemas of the members of an object.

    Attributes:
        rest: of members that neither have a schema of their own nor match a pattern; None for any.
        is_open: whether somebody said what such members are.
    """

    properties: dict[str, Node]
    patterns: tuple[PatternRule, ...]
    rest: Node | None
    is_open: bool
