"""The normal form of schemas: the kinds of values that fit them, each by itself and with nothing left to resolve.

A value's parts are named by the schemas that they must fit together (`NodeSet`), so that recursive schemas stay finite.
"""

from __future__ import annotations

from dataclasses import dataclass

from steiner.server.intake.json_schema.lexemes import Lexeme
from steiner.server.intake.json_schema.rules import NodeSet


@dataclass(frozen=True, slots=True)
class Literal:
    """One value, as JSON text."""

    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """A number or a string."""

    lexeme: Lexeme


@dataclass(frozen=True, slots=True)
class Multiples:
    """The multiples of a number between two integers, both included."""

    step: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """An array.

    Attributes:
        prefix: schemas of the first elements, by place.
        rest: of those behind; None where there can be none.
        max_items: None for any number.
    """

    prefix: tuple[NodeSet, ...]
    rest: NodeSet | None
    min_items: int
    max_items: int | None


@dataclass(frozen=True, slots=True)
class ArrayWithHits:
    """An array, some items of which fit more than the others have to.

    Attributes:
        items: for each place, and at the end for all behind, the schemas of an item that does not count, in each of the
            ways that there are.
        hits: for each place, and at the end for all behind, the schemas of an item that counts.
        min_hits: so many of them at least.
        max_hits: so many at most; None for any number, where items that do not count may be hits as well.
        max_items: None for any number.
    """

    items: tuple[tuple[NodeSet, ...], ...]
    hits: tuple[NodeSet, ...]
    min_hits: int
    max_hits: int | None
    min_items: int
    max_items: int | None
    pointer: str


@dataclass(frozen=True, slots=True)
class DistinctArray:
    """An array of some of a few literals, none of them twice, in any order."""

    texts: tuple[str, ...]
    min_items: int
    max_items: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object that has a name of its own."""

    name: str
    value: NodeSet
    is_required: bool


@dataclass(frozen=True, slots=True)
class FurtherMembers:
    """Members with names that fit a lexeme."""

    name: Lexeme
    value: NodeSet


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object; its members come in the order of `members`, then further ones.

    Attributes:
        min_members: further members may have the same name, so that only the first of them counts.
        max_members: None for any number.
        pointer: to where the number of members is limited; for errors.
    """

    members: tuple[Member, ...]
    further: tuple[FurtherMembers, ...]
    min_members: int
    max_members: int | None
    pointer: str


Value = Literal | Word | Multiples | ArrayValue | ArrayWithHits | DistinctArray | ObjectValue
