"""From schemas to the values that fit them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

from steiner.server.intake.json_schema.alternation import one_of_texts
from steiner.server.intake.json_schema.document import Node, SchemaDocument, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of
from steiner.server.intake.json_schema.lexemes import string_lexeme, try_together
from steiner.server.intake.json_schema.membership import Membership
from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.possibility import Possibility
from steiner.server.intake.json_schema.rules import NodeSet, PatternRule, nodes_of
from steiner.server.intake.json_schema.scalars import (
    fractions,
    integers,
    is_empty_lexeme,
    length_conditions,
    raise_refusal,
    strings,
)
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER, json_content
from steiner.server.intake.json_schema.values import (
    ArrayValue,
    ArrayWithHits,
    DistinctArray,
    FurtherMembers,
    Literal,
    Member,
    ObjectValue,
    Value,
)
from steiner.server.intake.json_schema.ways import Ways

MAX_VALUES = 4000
"""Sets of schemas, of a whole document."""
MAX_PATTERNS = 4
MAX_DISTINCT = 8
MAX_ITEMS = 4_000
MAX_OPTIONAL_ITEMS = 1_000
"""Of an array or object that is counted; a longer one than this is never written."""


class NormalForm:
    """The values of every set of schemas that comes up, worked out when first asked for.

    Raises:
        SchemaRefusal: from any method, where schemas cannot be enforced.
    """

    def __init__(self, document: SchemaDocument) -> None:
        self.ways = Ways(document, lambda nodes: self._possibility.may_fit(nodes))
        self._possibility = Possibility(self.ways)
        self._membership = Membership(self.ways)
        self._values: dict[NodeSet, tuple[Value, ...]] = {}
        self._under_way: set[NodeSet] = set()

    def values(self, nodes: NodeSet) -> tuple[Value, ...]:
        """What fits all of the schemas; parts that nothing fits are left out as far as that is seen."""
        if nodes not in self._values:
            if len(self._values) > MAX_VALUES:
                pointer = min((node.pointer for node in nodes), default="")
                raise SchemaRefusal(pointer, f"its parts combine in more than {MAX_VALUES} ways; simplify it")
            self.ways.check_time(min((node.pointer for node in nodes), default=""))
            self._under_way.add(nodes)
            try:
                found = [value for facts in self.ways.of(nodes) for value in self._noted_values_of(facts)]
            finally:
                self._under_way.discard(nodes)
            self._values[nodes] = tuple(dict.fromkeys(found))
        return self._values[nodes]

    def is_empty(self, nodes: NodeSet) -> bool:
        """Whether surely nothing fits; a value within itself counts as one that something may fit."""
        return nodes not in self._under_way and not self.values(nodes)

    def _noted_values_of(self, facts: Facts) -> list[Value]:
        found = list(self._values_of(facts))
        if not found:
            self.ways.note(next(iter(facts.pointers.values()), ""), "its limits contradict each other")
        return found

    def _values_of(self, facts: Facts) -> Iterable[Value]:
        if facts.enum is not None:
            kept = [value for value in facts.enum if self._is_kept(facts, value)]
            if not kept:
                self.ways.note(facts.pointers["enum"], "none of its values fits the rest")
            yield from (Literal(json.dumps(value, ensure_ascii=False)) for value in kept)
            return
        for kind in sorted(facts.kinds):
            match kind:
                case "null" | "boolean":
                    for value in [None] if kind == "null" else [True, False]:
                        if key_of(value) not in facts.excluded:
                            yield Literal(json.dumps(value))
                case "integer":
                    yield from integers(facts)
                case "fraction":
                    yield from fractions(facts)
                case "string":
                    yield from strings(facts)
                case "array":
                    yield from self._arrays(facts)
                case _:
                    yield from self._objects(facts)

    def _is_kept(self, facts: Facts, value: object) -> bool:
        self.ways.check_time(facts.pointers["enum"])
        return self._membership.admits_listed(facts, value)

    def _arrays(self, facts: Facts) -> Iterable[Value]:
        rules = facts.arrays
        num_places = max((len(rule.prefix) for rule in rules), default=0)
        places = [nodes_of(rule.at(index) for rule in rules) for index in range(num_places)]
        rest: NodeSet | None = nodes_of(rule.rest for rule in rules)
        is_open = (
            not num_places or any(rule.rest is not None for rule in rules) or facts.min_items > num_places
        )
        most = facts.max_items
        for index, place in enumerate(places):
            if (most is None or index < most) and self.is_empty(place):
                most = index
        if not is_open or (rest is not None and (most is None or most > num_places) and self.is_empty(rest)):
            most = num_places if most is None else min(most, num_places)
        if most is not None and most < facts.min_items:
            self.ways.note(facts.pointers["array"], "it contradicts the rest")
            return
        if most != 0:
            raise_refusal(facts, "array")
        elif key_of([]) in facts.excluded:
            self.ways.note(
                facts.pointers["excluded"], "no array but the empty one is left, and it must not be that"
            )
            return
        elif "array" in facts.refused:
            raise facts.refused["array"]
        if facts.min_items > MAX_ITEMS:
            raise SchemaRefusal(
                facts.pointers["array"],
                f"arrays of more than {MAX_ITEMS} items are not enforced; lower minItems",
            )
        most = most if most is None else min(most, max(facts.min_items, MAX_OPTIONAL_ITEMS))
        if most is not None and most <= num_places:
            places, rest = places[:most], None
        if facts.contains is not None:
            yield from self._with_hits(facts, places, rest, most)
        elif facts.unique is not None and (most is None or most > 1):
            yield from self._distinct(facts, places, rest, most)
        else:
            yield ArrayValue(tuple(places), rest, facts.min_items, most)

    def _with_hits(
        self, facts: Facts, places: list[NodeSet], rest: NodeSet | None, most: int | None
    ) -> Iterable[Value]:
        """Arrays that contain something."""
        assert facts.contains is not None
        pointer, contains = facts.contains.node.pointer, facts.contains
        if facts.unique is not None and most != 0:
            raise SchemaRefusal(pointer, "it is not enforced beside uniqueItems")
        misses: tuple[NodeSet, ...] = (frozenset(),)
        if contains.most is not None:
            # Where hits are counted exactly, the others must not be some.
            misses = tuple(nodes_of(way) for way in self.ways.opposites.of(contains.node))
        is_endless = rest is not None and (most is None or most > len(places))
        room = [*places, *([rest] if is_endless and rest is not None else [])]
        hits = [item | nodes_of([contains.node]) for item in room]
        least = contains.least
        if least > (least if most is None else most) or (least and all(map(self.is_empty, hits))):
            self.ways.note(pointer, "no item can fit it")
            return
        if contains.most is not None and contains.most < least:
            self.ways.note(pointer, "its limits contradict each other")
            return
        most = most if is_endless else len(places)
        items = tuple(tuple(item | miss for miss in misses) for item in room)
        limit = contains.most
        yield ArrayWithHits(items, tuple(hits), least, limit, facts.min_items, most, pointer)

    def _distinct(
        self, facts: Facts, places: list[NodeSet], rest: NodeSet | None, most: int | None
    ) -> Iterable[Value]:
        """Arrays of different items, where there are only a few literals to choose from."""
        reason = (
            f"it is enforced for items that are at most {MAX_DISTINCT} values of an enum, for prefixItems that have no "
            "value in common, and for one item at most"
        )
        pointer = facts.unique or ""
        if places and (rest is None or most == len(places)):
            for one, other in itertools.combinations(places, 2):
                if self._possibility.may_fit(one | other) or not one | other:
                    raise SchemaRefusal(pointer, reason)
            yield ArrayValue(tuple(places), None, facts.min_items, most)
            return
        if places or rest is None:
            raise SchemaRefusal(pointer, reason)
        values = self.values(rest) if rest not in self._under_way else ()
        texts = [value.text for value in values if isinstance(value, Literal)]
        if not values or len(texts) < len(values) or len(texts) > MAX_DISTINCT:
            raise SchemaRefusal(pointer, reason)
        distinct = list({key_of(json.loads(text)): text for text in reversed(texts)}.values())[::-1]
        most = len(distinct) if most is None else min(most, len(distinct))
        if facts.min_items <= most:
            yield DistinctArray(tuple(distinct), facts.min_items, most)

    def _objects(self, facts: Facts) -> Iterable[Value]:
        names = list(
            dict.fromkeys([*(name for rule in facts.objects for name in rule.properties), *facts.required])
        )
        ways = self._name_ways(facts)
        listed = _listed(ways)
        if listed is not None:
            names = list(dict.fromkeys([*names, *listed]))
        members: list[Member] = []
        for name in names:
            value = self._membership.schemas_of(facts, name)
            is_required = name in facts.required
            if not self._membership.may_name(facts, name) or self.is_empty(value):
                if is_required:
                    self.ways.note(facts.required[name], f"nothing may be the value of {name[:50]!r}")
                    return
                continue
            members.append(Member(name, value, is_required))
        is_open = not names or any(rule.is_open or rule.patterns for rule in facts.objects)
        is_open = is_open or facts.min_members > len(members)
        further = list(self._further(facts, names, ways)) if is_open and listed is None else []
        self._check_together(facts, further)
        num_required = sum(member.is_required for member in members)
        most = facts.max_members
        if most is not None:
            most = min(most, max(len(members), facts.min_members, MAX_OPTIONAL_ITEMS))
            if most < max(num_required, facts.min_members):
                self.ways.note(facts.pointers["members"], "it contradicts the rest")
                return
        if facts.min_members > len(members) + bool(further):
            if further:
                raise SchemaRefusal(
                    facts.pointers.get("members", ""),
                    "that names of further members differ is not enforced; name the members in properties",
                )
            self.ways.note(facts.pointers["members"], "it contradicts the rest")
            return
        raise_refusal(facts, "object")
        yield ObjectValue(
            tuple(members),
            tuple(further),
            facts.min_members,
            most,
            facts.pointers.get("members", ""),
        )

    def _check_together(self, facts: Facts, further: list[FurtherMembers]) -> None:
        if len(further) < 2:
            return
        try:
            try_together(tuple(one.name for one in further))
        except ValueError as error:
            pattern = next((one.pointer for rule in facts.objects for one in rule.patterns), "")
            raise SchemaRefusal(pattern, f"its patterns are too large together ({error})") from error

    def _name_ways(self, facts: Facts) -> list[Facts]:
        if not facts.names:
            return [Facts()]
        return [way for way in self.ways.of(frozenset(facts.names)) if "string" in way.kinds]

    def _further(self, facts: Facts, names: list[str], ways: list[Facts]) -> Iterable[FurtherMembers]:
        """Members beside those with a name, by the patterns that their names match."""
        patterns = [(index, one) for index, rule in enumerate(facts.objects) for one in rule.patterns]
        if len(patterns) > MAX_PATTERNS:
            raise SchemaRefusal(patterns[-1][1].pointer, f"of {MAX_PATTERNS} patterns at most")
        places = [one.pointer for _, one in patterns] + [node.pointer for node in facts.names]
        pointer = next(iter([*places, *facts.required.values()]), facts.pointers.get("members", ""))
        taken = (Condition(one_of_texts(map(json_content, names)), holds=False),) if names else ()
        is_closed = bool(patterns) and not any(rule.is_open for rule in facts.objects)
        for matched in itertools.product((True, False), repeat=len(patterns)):
            if is_closed and not any(matched):
                continue
            of_names = [_same_side(one, side) for (_, one), side in zip(patterns, matched, strict=True)]
            found: list[Node | None] = [
                one.node for (_, one), side in zip(patterns, matched, strict=True) if side
            ]
            of_pattern = {index for (index, _), side in zip(patterns, matched, strict=True) if side}
            found += [rule.rest for index, rule in enumerate(facts.objects) if index not in of_pattern]
            value = nodes_of(found)
            if self.is_empty(value):
                continue
            for way in ways:
                raise_refusal(way, "string")
                own = (
                    *way.string_conditions(),
                    *way.excluded_strings(),
                    *length_conditions(way, ANY_CHARACTER),
                )
                conditions = (Condition(ANYTHING), *itertools.chain.from_iterable(of_names), *own, *taken)
                lexeme = string_lexeme(tuple(dict.fromkeys(conditions)))
                if not is_empty_lexeme(lexeme, way, pointer):
                    yield FurtherMembers(lexeme, value)


def _listed(ways: list[Facts]) -> list[str] | None:
    """All names that there can be; None where they are not listed."""
    if any(way.enum is None for way in ways):
        return None
    return [value for way in ways for value in way.enum or () if isinstance(value, str)]


def _same_side(rule: PatternRule, matches_it: bool) -> tuple[Condition, ...]:
    if matches_it:
        return rule.conditions
    if len(rule.widest) > 1:
        raise SchemaRefusal(
            rule.pointer, "a pattern of names with a lookahead is not supported beside other names"
        )
    return tuple(Condition(one.regex, holds=not one.holds) for one in rule.widest)
