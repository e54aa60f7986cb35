"""Whether a given value fits schemas, and which schemas a member of an object has to fit."""

from __future__ import annotations

from typing import Any, TypeVar

from steiner.server.intake.json_schema.document import Node, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of, kind_of
from steiner.server.intake.json_schema.lexemes import matches
from steiner.server.intake.json_schema.patterns import Condition
from steiner.server.intake.json_schema.rules import ArrayRule, NodeSet, ObjectRule, nodes_of
from steiner.server.intake.json_schema.ways import Ways

Rule = TypeVar("Rule", ArrayRule, ObjectRule)


class Membership:
    """Answers that for the schemas of one document.

    Args:
        widest: whether what cannot be told, or not for every reader, is taken as fitting.

    Raises:
        SchemaRefusal: from any method, where it cannot be told; never with `widest`.
    """

    def __init__(self, ways: Ways, *, widest: bool = False) -> None:
        self._ways = ways
        self._widest = widest
        self._widely = self if widest else Membership(ways, widest=True)

    def fits(self, nodes: NodeSet, value: object) -> bool:
        """Whether a value fits schemas."""
        try:
            return any(self.admits(facts, value) for facts in self._ways.of(nodes))
        except SchemaRefusal:
            if self._widest:
                return True
            raise

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
        if kind in facts.refused:
            if self._widest:
                return True
            raise facts.refused[kind]
        match value:
            case bool() | None:
                return True
            case int() | float():
                return facts.is_admitted_number(value, widest=self._widest)
            case str():
                most = facts.max_length
                is_long_enough = facts.min_length <= len(value) <= (len(value) if most is None else most)
                conditions = facts.string_conditions(widest=self._widest)
                return is_long_enough and self._matches(conditions, value, facts.pointers.get("string", ""))
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
            most = facts.contains.most
            if (
                most is not None
                and not self._widest
                and sum(self._widely.fits(hit, one) for one in value) > most
            ):
                return False
        is_distinct = facts.unique is None or len(set(map(key_of, value))) == len(value)
        return is_distinct and all(
            self.fits(nodes_of(rule.at(index) for rule in self._of(facts.arrays)), one)
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
        for rule in self._of(facts.objects):
            found.append(rule.properties.get(name))
            is_covered = rule.has(name)
            for one in rule.patterns:
                surely = self._matches(one.conditions, name, one.pointer)
                perhaps = surely or self._matches(one.widest, name, one.pointer)
                found += [one.node] if (surely if self._widest else perhaps) else []
                is_covered = is_covered or (perhaps if self._widest else surely)
            if not is_covered:
                found.append(rule.rest)
        return nodes_of(found)

    def _of(self, rules: list[Rule]) -> list[Rule]:
        return [rule for rule in rules if rule.is_exact] if self._widest else rules

    def _matches(self, conditions: tuple[Condition, ...], text: str, pointer: str) -> bool:
        try:
            return matches(conditions, text)
        except ValueError as error:
            if self._widest:
                return True
            raise SchemaRefusal(pointer, f"it is too large to be followed ({error})") from error
