"""Whether a given value fits schemas, and which schemas a member of an object has to fit."""

from __future__ import annotations

from typing import Any

from steiner.server.intake.json_schema.document import Node, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of, kind_of
from steiner.server.intake.json_schema.lexemes import matches
from steiner.server.intake.json_schema.patterns import Condition
from steiner.server.intake.json_schema.rules import NodeSet, nodes_of
from steiner.server.intake.json_schema.scalars import raise_refusal
from steiner.server.intake.json_schema.ways import Ways


class Membership:
    """Answers that for the schemas of one document.

    Raises:
        SchemaRefusal: from any method, where it cannot be told.
    """

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    def fits(self, nodes: NodeSet, value: object) -> bool:
        """Whether a value fits schemas."""
        return any(self.admits(facts, value) for facts in self._ways.of(nodes))

    def admits(self, facts: Facts, value: Any) -> bool:
        """Whether a value fits facts."""
        if facts.enum is not None and key_of(value) not in map(key_of, facts.enum):
            return False
        return self.admits_listed(facts, value)

    def admits_listed(self, facts: Facts, value: Any) -> bool:
        """The same for a value that is in the enum of the facts, if there is one."""
        kind = kind_of(value)
        if kind not in facts.kinds or key_of(value) in facts.excluded:
            return False
        if kind in ("array", "object", "string") or kind in facts.refused:
            raise_refusal(facts, kind, ())
        match value:
            case bool() | None:
                return True
            case int() | float():
                return facts.is_admitted_number(value)
            case str():
                most = facts.max_length
                is_long_enough = facts.min_length <= len(value) <= (len(value) if most is None else most)
                return is_long_enough and _matches(
                    facts.string_conditions(), value, facts.pointers.get("string", "")
                )
            case list():
                return self._admits_array(facts, value)
            case _:
                return self._admits_object(facts, value)

    def _admits_array(self, facts: Facts, value: list[Any]) -> bool:
        if not facts.min_items <= len(value) <= (len(value) if facts.max_items is None else facts.max_items):
            return False
        if facts.contains is not None:
            hit = nodes_of([facts.contains.node])
            if sum(self.fits(hit, one) for one in value) < facts.contains.least:
                return False
        is_distinct = facts.unique is None or len(set(map(key_of, value))) == len(value)
        return is_distinct and all(
            self.fits(nodes_of(rule.at(index) for rule in facts.arrays), one)
            for index, one in enumerate(value)
        )

    def _admits_object(self, facts: Facts, value: dict[str, Any]) -> bool:
        most = len(value) if facts.max_members is None else facts.max_members
        return (
            facts.min_members <= len(value) <= most
            and facts.required.keys() <= value.keys()
            and all(self.may_name(facts, name) for name in value)
            and all(self.fits(self.schemas_of(facts, name), one) for name, one in value.items())
        )

    def may_name(self, facts: Facts, name: str) -> bool:
        """Whether a member may have a name."""
        return not facts.names or self.fits(frozenset(facts.names), name)

    def schemas_of(self, facts: Facts, name: str) -> NodeSet:
        """Those of the member with a name."""
        found: list[Node | None] = []
        for rule in facts.objects:
            matching = [one.node for one in rule.patterns if _matches(one.conditions, name, one.node.pointer)]
            own = rule.properties.get(name)
            found += [*matching, own] if matching or own is not None else [rule.rest]
        return nodes_of(found)


def _matches(conditions: tuple[Condition, ...], text: str, pointer: str) -> bool:
    try:
        return matches(conditions, text)
    except ValueError as error:
        raise SchemaRefusal(pointer, f"it is too large to be followed ({error})") from error
