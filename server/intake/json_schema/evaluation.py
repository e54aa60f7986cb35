"""What `unevaluatedItems` and `unevaluatedProperties` leave, on one way to satisfy schemas.

They speak of the parts that no schema beside them has evaluated, and only schemas that the value fits count. On a way
it is known of some that it fits them. A part that others may have evaluated as well is held to the keyword all the
same, which asks for more than the schema does, never for less.

https://json-schema.org/draft/2020-12/json-schema-core#name-unevaluatedproperties
"""

from __future__ import annotations

from dataclasses import dataclass, field

from steiner.server.intake.json_schema.document import Node
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.keywords import combines
from steiner.server.intake.json_schema.patterns import PatternError, conditions_of
from steiner.server.intake.json_schema.rules import ArrayRule, ObjectRule, PatternRule

Scopes = frozenset[str]
"""Ids of schemas that have such a keyword; what stands beside or below them in the same place is within."""
NO_SCOPES: Scopes = frozenset()


@dataclass(slots=True)
class Evaluation:
    """Who asks for it, and who has evaluated something."""

    _asking: list[Node] = field(default_factory=list)
    _evaluating: list[tuple[Node, Scopes]] = field(default_factory=list)

    def copy(self) -> Evaluation:
        """One that can go another way."""
        return Evaluation(list(self._asking), list(self._evaluating))

    def scopes_within(self, node: Node, scopes: Scopes) -> Scopes:
        """Those that schemas beside a schema evaluate for."""
        return scopes | {node.id} if _asks(node) else scopes

    def add(self, node: Node, scopes: Scopes) -> None:
        """Take in a schema that the value fits."""
        if _asks(node):
            self._asking.append(node)
        if within := self.scopes_within(node, scopes):
            self._evaluating.append((node, within))

    def close(self, facts: Facts) -> None:
        """Add what is left to the facts of the way."""
        for node in self._asking:
            within = [other for other, scopes in self._evaluating if node.id in scopes]
            if "unevaluatedProperties" in node.keywords:
                _close_objects(facts, node, within)
            if "unevaluatedItems" in node.keywords:
                _close_arrays(facts, node, within)


def _asks(node: Node) -> bool:
    schema = node.keywords
    return ("unevaluatedProperties" in schema or "unevaluatedItems" in schema) and combines(schema)


def _close_objects(facts: Facts, node: Node, within: list[Node]) -> None:
    properties: dict[str, Node | None] = {}
    patterns: list[PatternRule] = []
    for other in within:
        schema = other.keywords
        if "additionalProperties" in schema or ("unevaluatedProperties" in schema and other.id != node.id):
            return
        properties |= dict.fromkeys(schema.get("properties", ()))
        for pattern in schema.get("patternProperties", ()):
            try:
                narrow, widest = conditions_of(pattern), conditions_of(pattern, widest=True)
            except PatternError:
                return
            patterns.append(PatternRule(narrow, widest, None, other.at("patternProperties", pattern)))
    rest = node.child("unevaluatedProperties")
    facts.objects.append(ObjectRule(properties, tuple(patterns), rest, is_open=True, is_exact=False))


def _close_arrays(facts: Facts, node: Node, within: list[Node]) -> None:
    num_places = 0
    for other in within:
        schema = other.keywords
        if "unevaluatedItems" in schema and other.id != node.id:
            return
        if "items" in schema and not isinstance(schema["items"], list):
            return
        listed = schema.get("prefixItems", schema.get("items", ()))
        if "additionalItems" in schema and isinstance(schema.get("items"), list):
            return
        num_places = max(num_places, len(listed))
    places: tuple[Node | None, ...] = (None,) * num_places
    facts.arrays.append(ArrayRule(places, node.child("unevaluatedItems"), is_exact=False))
