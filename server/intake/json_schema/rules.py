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
        prefix: None for a place of any.
        rest: behind the prefix; None for any.
        is_exact: whether the schemas ask for that, or for less.
    """

    prefix: tuple[Node | None, ...]
    rest: Node | None
    is_exact: bool = True

    def at(self, index: int) -> Node | None:
        """The schema of one element."""
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True)
class Contains:
    """The schema that so many items fit, both included; None for any number from there on."""

    node: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class PatternRule:
    """The schema of the members whose names match a pattern.

    Attributes:
        conditions: of names that match for every reader.
        widest: of those that match for one at least.
        node: None for any.
        pointer: to the pattern.
    """

    conditions: tuple[Condition, ...]
    widest: tuple[Condition, ...]
    node: Node | None
    pointer: str


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """Schemas of the members of an object.

    Attributes:
        rest: of members that neither have a schema of their own nor match a pattern; None for any.
        is_open: whether somebody said what such members are.
        is_exact: whether the schemas ask for that, or for less.
    """

    properties: dict[str, Node | None]
    patterns: tuple[PatternRule, ...]
    rest: Node | None
    is_open: bool
    is_exact: bool = True

    def has(self, name: str) -> bool:
        """Whether a member has a schema of its own."""
        return name in self.properties
