"""What a set of schemas says together of one value, as bounds and rules that no longer overlap.

`Facts` is one way to satisfy them: where schemas leave a choice (`anyOf`), each choice has facts of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm
from typing import Any

from steiner.server.intake.json_schema.alternation import one_of_texts
from steiner.server.intake.json_schema.document import Node, SchemaRefusal
from steiner.server.intake.json_schema.formats import (
    INTEGERS,
    NAMES,
    WITHOUT_RULES,
    format_conditions,
)
from steiner.server.intake.json_schema.keywords import combines
from steiner.server.intake.json_schema.kinds import KINDS, KINDS_OF_TYPE, exact, key_of
from steiner.server.intake.json_schema.patterns import Condition, PatternError, conditions_of
from steiner.server.intake.json_schema.rules import ArrayRule, Contains, ObjectRule, PatternRule
from steiner.server.intake.json_schema.string_content import json_content

FARTHEST_MULTIPLE = 2**53
FARTHEST = Fraction(10**300)
"""From 0, of a number that is written: what divides doubles ends with an error beyond what they hold."""
MOST_ENDINGS = 64
"""Of decimals for a `multipleOf` below 1."""


@dataclass(slots=True)
class Facts:
    """One way to satisfy schemas; numbers are inclusive unless a name says otherwise.

    Attributes:
        enum: all values that are left; None for no such list.
        excluded: values that it must not be, by what is equal of equal ones.
        multiples: that a number must be a multiple of.
        farthest_multiple: from 0, of those that are told by dividing doubles; None for any.
        conditions: of the content of strings, so that it is right for every reader of a pattern.
        widest_conditions: so that it is right for one at least; formats ask for nothing.
        names: schemas of the names of members.
        required: names, with the pointer to where each is asked for.
        refused: why values of a kind cannot be enforced, where they would be left.
        pointers: to where a limit first came up, for errors; by "enum", "excluded", "number", "multiple",
            "string", "array", "members".
    """

    kinds: frozenset[str] = frozenset(KINDS)
    enum: list[Any] | None = None
    excluded: dict[Hashable, Any] = field(default_factory=dict)
    lower: Fraction | None = None
    upper: Fraction | None = None
    lower_excluded: bool = False
    upper_excluded: bool = False
    multiples: list[Fraction] = field(default_factory=list)
    farthest_multiple: int | None = None
    conditions: list[Condition] = field(default_factory=list)
    widest_conditions: list[Condition] = field(default_factory=list)
    min_length: int = 0
    max_length: int | None = None
    min_items: int = 0
    max_items: int | None = None
    arrays: list[ArrayRule] = field(default_factory=list)
    unique: str | None = None
    contains: Contains | None = None
    min_members: int = 0
    max_members: int | None = None
    objects: list[ObjectRule] = field(default_factory=list)
    names: list[Node] = field(default_factory=list)
    required: dict[str, str] = field(default_factory=dict)
    refused: dict[str, SchemaRefusal] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Facts:
        """Facts that can go another way."""
        copied = replace(self)
        for name in ("multiples", "conditions", "widest_conditions", "arrays", "objects", "names"):
            setattr(copied, name, list(getattr(self, name)))
        copied.excluded = dict(self.excluded)
        copied.required = dict(self.required)
        copied.refused = dict(self.refused)
        copied.pointers = dict(self.pointers)
        return copied

    def refuse(self, pointer: str, reason: str, *kinds: str) -> None:
        """Note that values of these kinds cannot be enforced."""
        for kind in kinds:
            self.refused.setdefault(kind, SchemaRefusal(pointer, reason))

    def only(self, kinds: Iterable[str]) -> None:
        """Leave these kinds at most."""
        self.kinds &= frozenset(kinds)

    def add(self, node: Node) -> None:
        """Take in what a schema says by itself; references and combinations are not looked at."""
        for keyword, value in node.keywords.items():
            rule = RULES.get(keyword)
            if rule is not None:
                rule(self, node, value)
        self._add_array(node)
        self._add_object(node)

    def _add_type(self, node: Node, value: Any) -> None:
        names = value if isinstance(value, list) else [value]
        self.only(kind for name in names for kind in KINDS_OF_TYPE[name])

    def _add_kinds(self, node: Node, value: list[str]) -> None:
        self.only(value)

    def _add_excluded(self, node: Node, value: list[Any]) -> None:
        self.excluded |= {key_of(one): one for one in value}
        self.pointers.setdefault("excluded", node.pointer)

    def _add_not_pattern(self, node: Node, value: str) -> None:
        self.pointers.setdefault("string", node.pointer)
        for widest, conditions in ((True, self.conditions), (False, self.widest_conditions)):
            (condition,) = self._conditions(node.pointer, value, widest=widest)
            conditions.append(Condition(condition.regex, holds=not condition.holds))

    def _add_enum(self, node: Node, value: list[Any], keyword: str = "enum") -> None:
        self.pointers.setdefault("enum", node.at(keyword))
        allowed = None if self.enum is None else set(map(key_of, self.enum))
        by_key = {key_of(one): one for one in reversed(value)}
        kept = [one for key, one in by_key.items() if allowed is None or key in allowed]
        self.enum = kept[::-1]

    def _add_const(self, node: Node, value: Any) -> None:
        self._add_enum(node, [value], "const")

    def _add_minimum(
        self, node: Node, value: float, keyword: str = "minimum", *, excluded: bool = False
    ) -> None:
        self._note_number(node, value, keyword, is_beyond=value > FARTHEST)
        # A double of more than 15 digits is one number as it was written, and another as it is kept.
        bound = max(exact(value), _kept(value), -FARTHEST)
        if self.lower is None or (bound, excluded) > (self.lower, self.lower_excluded):
            self.lower, self.lower_excluded = bound, excluded

    def _add_exclusive_minimum(self, node: Node, value: float) -> None:
        self._add_minimum(node, value, "exclusiveMinimum", excluded=True)

    def _add_maximum(
        self, node: Node, value: float, keyword: str = "maximum", *, excluded: bool = False
    ) -> None:
        self._note_number(node, value, keyword, is_beyond=value < -FARTHEST)
        bound = min(exact(value), _kept(value), FARTHEST)
        if self.upper is None or (-bound, excluded) > (-self.upper, self.upper_excluded):
            self.upper, self.upper_excluded = bound, excluded

    def _add_exclusive_maximum(self, node: Node, value: float) -> None:
        self._add_maximum(node, value, "exclusiveMaximum", excluded=True)

    def _note_number(self, node: Node, value: float, keyword: str, *, is_beyond: bool) -> None:
        self.pointers.setdefault("number", node.at(keyword))
        if is_beyond:
            reason = "numbers of more than 300 digits are not enforced"
            self.refuse(node.at(keyword), reason, "integer", "fraction")

    def _add_multiple_of(self, node: Node, value: float) -> None:
        step = exact(value)
        if step.denominator > 1:
            part = step.denominator
            if step.numerator > 1 or part > MOST_ENDINGS or part & (part - 1):
                self.refuse(
                    node.at("multipleOf"),
                    "checkers that divide doubles reject true multiples of it; use an integer, a half, a quarter or "
                    "the like, or an enum",
                    "integer",
                    "fraction",
                )
                return
        if isinstance(value, float):
            self.farthest_multiple = FARTHEST_MULTIPLE
            if step > FARTHEST_MULTIPLE:
                reason = (
                    "a double of more than 15 digits is not read alike everywhere; write it as an integer"
                )
                self.refuse(node.at("multipleOf"), reason, "integer", "fraction")
        self.multiples.append(step)
        self.pointers.setdefault("multiple", node.at("multipleOf"))

    def _add_pattern(self, node: Node, value: str) -> None:
        self.pointers.setdefault("string", node.at("pattern"))
        try:
            self.conditions += conditions_of(value)
            self.widest_conditions += conditions_of(value, widest=True)
        except PatternError as error:
            self.refuse(node.at("pattern"), f"{error}", "string")

    def _add_format(self, node: Node, value: str) -> None:
        if value in INTEGERS:
            low, high = INTEGERS[value]
            self._add_minimum(node, low, "format")
            self._add_maximum(node, high, "format")
        elif value not in WITHOUT_RULES:
            conditions = format_conditions(value)
            if conditions is None:
                self.refuse(
                    node.at("format"), f"{value[:50]!r} is not enforced; {', '.join(NAMES)} are", "string"
                )
            else:
                self.conditions += conditions
                self.pointers.setdefault("string", node.at("format"))

    def _add_min_length(self, node: Node, value: float) -> None:
        self.pointers.setdefault("string", node.at("minLength"))
        self.min_length = max(self.min_length, int(value))

    def _add_max_length(self, node: Node, value: float) -> None:
        self.pointers.setdefault("string", node.at("maxLength"))
        self.max_length = int(value) if self.max_length is None else min(self.max_length, int(value))

    def _add_min_items(self, node: Node, value: float) -> None:
        self.pointers.setdefault("array", node.at("minItems"))
        self.min_items = max(self.min_items, int(value))

    def _add_max_items(self, node: Node, value: float) -> None:
        self.pointers.setdefault("array", node.at("maxItems"))
        self.max_items = int(value) if self.max_items is None else min(self.max_items, int(value))

    def _add_unique_items(self, node: Node, value: bool) -> None:
        if value:
            self.unique = self.unique or node.at("uniqueItems")

    def _add_contains(self, node: Node, value: Any) -> None:
        least, most = int(node.keywords.get("minContains", 1)), node.keywords.get("maxContains")
        if least == 0 and most is None:
            return
        if self.contains is not None or node.is_made:
            self.refuse(node.at("contains"), "it is enforced once for an array", "array")
        else:
            self.contains = Contains(node.child("contains"), least, None if most is None else int(most))

    def _add_min_properties(self, node: Node, value: float) -> None:
        self.min_members = max(self.min_members, int(value))
        self.pointers.setdefault("members", node.at("minProperties"))

    def _add_max_properties(self, node: Node, value: float) -> None:
        self.max_members = int(value) if self.max_members is None else min(self.max_members, int(value))
        self.pointers.setdefault("members", node.at("maxProperties"))

    def _add_required(self, node: Node, value: list[str]) -> None:
        for name in value:
            self.required.setdefault(name, node.at("required"))

    def _add_property_names(self, node: Node, value: Any) -> None:
        self.names.append(node.child("propertyNames"))

    def _add_array(self, node: Node) -> None:
        schema = node.keywords
        keyword = "items" if isinstance(schema.get("items"), list) else "prefixItems"
        prefix = tuple(node.child(keyword, index) for index in range(len(schema.get(keyword, ()))))
        rest = None
        if keyword == "items":
            rest = node.child("additionalItems") if "additionalItems" in schema else None
        elif "items" in schema:
            rest = node.child("items")
        elif "unevaluatedItems" in schema and not combines(schema):
            rest = node.child("unevaluatedItems")
        if prefix or rest is not None:
            self.arrays.append(ArrayRule(prefix, rest))

    def _add_object(self, node: Node) -> None:
        schema = node.keywords
        properties = {name: node.child("properties", name) for name in schema.get("properties", ())}
        patterns = []
        for pattern in schema.get("patternProperties", ()):
            child = node.child("patternProperties", pattern)
            try:
                widest = conditions_of(pattern, widest=True)
                patterns.append(PatternRule(conditions_of(pattern), widest, child, child.pointer))
            except PatternError as error:
                self.refuse(node.at("patternProperties", pattern), f"{error}", "object")
        rest, is_open = None, False
        if "additionalProperties" in schema:
            rest, is_open = node.child("additionalProperties"), True
        elif "unevaluatedProperties" in schema and not combines(schema):
            rest, is_open = node.child("unevaluatedProperties"), True
        if properties or patterns or is_open:
            self.objects.append(ObjectRule(dict(properties), tuple(patterns), rest, is_open))

    def _conditions(self, pointer: str, pattern: str, *, widest: bool) -> tuple[Condition, ...]:
        try:
            found = conditions_of(pattern, widest=widest)
        except PatternError as error:
            raise SchemaRefusal(pointer, f"{error}") from error
        if len(found) > 1:
            raise SchemaRefusal(pointer, "the opposite of a pattern with a lookahead is not supported")
        return found

    def step(self) -> Fraction | None:
        """What a number must be a multiple of; None for any number."""
        if not self.multiples:
            return None
        numerator = lcm(*(one.numerator for one in self.multiples))
        denominators = [one.denominator for one in self.multiples]
        # Each is an integer or a power of a half; the coarser one counts.
        return Fraction(numerator) if min(denominators) == 1 else Fraction(1, min(denominators))

    def is_admitted_number(self, value: float, *, widest: bool) -> bool:
        """Whether bounds and multiples allow a number, for every reader or for one at least."""
        number, step = exact(value), self.step()
        if not widest and self.farthest_multiple is not None and abs(number) > self.farthest_multiple:
            return False
        return not (
            (
                self.lower is not None
                and (number < self.lower or (self.lower_excluded and number == self.lower))
            )
            or (
                self.upper is not None
                and (number > self.upper or (self.upper_excluded and number == self.upper))
            )
            or (step is not None and (number / step).denominator != 1)
        )

    def string_conditions(self, *, widest: bool = False) -> tuple[Condition, ...]:
        """What the content of a string must keep to, its length and the values that are excluded aside."""
        return tuple(dict.fromkeys(self.widest_conditions if widest else self.conditions))

    def excluded_strings(self) -> tuple[Condition, ...]:
        """The same for single values that it must not be."""
        texts = [one for one in self.excluded.values() if isinstance(one, str)]
        return (Condition(one_of_texts(map(json_content, texts)), holds=False),) if texts else ()


def _kept(bound: float) -> Fraction:
    """A bound as a reader has it that compares large integers with doubles exactly."""
    return Fraction(bound) if abs(bound) > FARTHEST_MULTIPLE else exact(bound)


RULES: dict[str, Callable[[Facts, Node, Any], None]] = {
    "type": Facts._add_type,
    "$kinds": Facts._add_kinds,
    "$excluded": Facts._add_excluded,
    "$not_pattern": Facts._add_not_pattern,
    "enum": Facts._add_enum,
    "const": Facts._add_const,
    "minimum": Facts._add_minimum,
    "maximum": Facts._add_maximum,
    "exclusiveMinimum": Facts._add_exclusive_minimum,
    "exclusiveMaximum": Facts._add_exclusive_maximum,
    "multipleOf": Facts._add_multiple_of,
    "pattern": Facts._add_pattern,
    "format": Facts._add_format,
    "minLength": Facts._add_min_length,
    "maxLength": Facts._add_max_length,
    "minItems": Facts._add_min_items,
    "maxItems": Facts._add_max_items,
    "uniqueItems": Facts._add_unique_items,
    "contains": Facts._add_contains,
    "minProperties": Facts._add_min_properties,
    "maxProperties": Facts._add_max_properties,
    "required": Facts._add_required,
    "propertyNames": Facts._add_property_names,
}
"""By keyword; those with a `$` stand in made schemas only."""
