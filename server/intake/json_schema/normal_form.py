"""From schemas to the values that fit them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from steiner.server.intake.json_schema.document import Node, SchemaDocument, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts, NodeSet, PatternRule, kind_of, same
from steiner.server.intake.json_schema.lexemes import Lexeme, is_empty, matches, string_lexeme
from steiner.server.intake.json_schema.negation import Opposites, Way, made
from steiner.server.intake.json_schema.numbers import SCALE, fraction_range, integer_bounds, integer_range
from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.string_content import ANY_CHARACTER, FREE_CHARACTER, content_of, quoted
from steiner.server.intake.json_schema.values import (
    ArrayValue,
    ArrayWithHits,
    DistinctArray,
    FurtherMembers,
    Literal,
    Member,
    Multiples,
    ObjectValue,
    Value,
    Word,
)

MAX_WAYS = 512
"""To satisfy the schemas of one value."""
MAX_VALUES = 4000
"""Sets of schemas, of a whole document."""
MAX_LENGTH = 20_000
"""Of a string that is counted; a longer one than this is never written."""
MAX_PATTERNS = 4
MAX_DISTINCT = 8
MAX_LISTED = 200
ANY_STRING = Word(Lexeme((Condition(quoted(f"{FREE_CHARACTER}*")),)))
FREE_NAME = string_lexeme((Condition(ANYTHING),))


@dataclass(frozen=True, slots=True)
class _Choice:
    """A place where schemas leave several ways."""

    pointer: str
    ways: list[Way]


class NormalForm:
    """The values of every set of schemas that comes up, worked out when first asked for.

    Raises:
        SchemaRefusal: from any method, where schemas cannot be enforced.
    """

    def __init__(self, document: SchemaDocument) -> None:
        self._document = document
        self._opposites = Opposites(document.target)
        self._facts: dict[NodeSet, list[Facts]] = {}
        self._values: dict[NodeSet, tuple[Value, ...]] = {}
        self._under_way: set[NodeSet] = set()
        self.conflict: SchemaRefusal | None = None
        """The first place where schemas were seen to contradict each other."""

    def values(self, nodes: NodeSet) -> tuple[Value, ...]:
        """What fits all of the schemas; parts that nothing fits are left out as far as that is seen."""
        if nodes not in self._values:
            if len(self._values) > MAX_VALUES:
                raise SchemaRefusal("", f"its parts combine in more than {MAX_VALUES} ways; simplify it")
            self._under_way.add(nodes)
            try:
                found = [value for facts in self._ways(nodes) for value in self._noted_values_of(facts)]
            finally:
                self._under_way.discard(nodes)
            self._values[nodes] = tuple(dict.fromkeys(found))
        return self._values[nodes]

    def is_empty(self, nodes: NodeSet) -> bool:
        """Whether surely nothing fits; a value within itself counts as one that something may fit."""
        return nodes not in self._under_way and not self.values(nodes)

    def _note(self, pointer: str, reason: str) -> None:
        self.conflict = self.conflict or SchemaRefusal(pointer, f"no value fits: {reason}")

    def _ways(self, nodes: NodeSet) -> list[Facts]:
        """The facts of each way to satisfy schemas."""
        if nodes not in self._facts:
            self._facts[nodes] = list(self._satisfy(sorted(nodes, key=lambda node: node.id)))
        return self._facts[nodes]

    def _satisfy(self, nodes: list[Node]) -> Iterable[Facts]:
        stack: list[tuple[Facts, list[Node], list[_Choice], frozenset[str]]] = [
            (Facts(), nodes, [], frozenset())
        ]
        num_ways = 0
        while stack:
            facts, waiting, choices, seen = stack.pop()
            while waiting and facts.kinds:
                node, *waiting = waiting
                if node.id in seen or node.schema is True:
                    continue
                seen |= {node.id}
                if node.schema is False:
                    self._note(node.pointer, "it is false")
                    facts.kinds = frozenset()
                    break
                facts.add(node)
                if not facts.kinds:
                    keyword = "type" if "type" in node.keywords else next(iter(node.keywords))
                    self._note(node.at(keyword), "it contradicts the rest")
                waiting = [*self._included(node), *waiting]
                choices = [*choices, *self._choices(node)]
            if not facts.kinds:
                continue
            if not choices:
                yield facts
                continue
            choice, *rest = choices
            num_ways += len(choice.ways)
            if num_ways > MAX_WAYS:
                raise SchemaRefusal(
                    choice.pointer,
                    f"with the rest there are more than {MAX_WAYS} ways to satisfy it; simplify it",
                )
            stack += [(facts.copy(), list(way), rest, seen) for way in reversed(choice.ways)]

    def _included(self, node: Node) -> list[Node]:
        """Schemas that hold along with one."""
        found = [
            self._document.target(node, keyword)
            for keyword in ("$ref", "$dynamicRef")
            if keyword in node.keywords
        ]
        return found + [node.child("allOf", index) for index in range(len(node.keywords.get("allOf", ())))]

    def _choices(self, node: Node) -> list[_Choice]:
        schema = node.keywords
        choices = []
        if "anyOf" in schema:
            ways: list[Way] = [(node.child("anyOf", index),) for index in range(len(schema["anyOf"]))]
            choices.append(_Choice(node.at("anyOf"), ways))
        if "oneOf" in schema:
            choices.append(_Choice(node.at("oneOf"), self._exactly_one(node)))
        if "not" in schema:
            choices.append(_Choice(node.at("not"), self._opposites.of(node.child("not"))))
        if "if" in schema and ("then" in schema or "else" in schema):
            holds: Way = (node.child("if"), *([node.child("then")] if "then" in schema else []))
            otherwise = [node.child("else")] if "else" in schema else []
            ways = [(*way, *otherwise) for way in self._opposites.of(node.child("if"))]
            choices.append(_Choice(node.at("if"), [holds, *ways]))
        return choices + list(self._dependencies(node))

    def _dependencies(self, node: Node) -> Iterable[_Choice]:
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, asked in node.keywords.get(keyword, {}).items():
                absent: Way = (made(node, {"properties": {name: False}}),)
                present = made(node, {"type": "object", "required": [name]})
                is_list = isinstance(asked, list)
                also = made(node, {"required": asked}) if is_list else node.child(keyword, name)
                yield _Choice(node.at(keyword, name), [absent, (present, also)])

    def _exactly_one(self, node: Node) -> list[Way]:
        """Branches, each with the opposite of those that could fit as well."""
        branches = [node.child("oneOf", index) for index in range(len(node.keywords["oneOf"]))]
        siblings = {keyword: value for keyword, value in node.keywords.items() if keyword != "oneOf"}
        rest = made(node, siblings)
        ways: list[Way] = []
        for branch in branches:
            others = [one for one in branches if one is not branch]
            overlapping = [one for one in others if not self.is_empty(frozenset({rest, branch, one}))]
            try:
                opposites = [self._opposites.of(one) for one in overlapping]
            except SchemaRefusal as error:
                raise SchemaRefusal(
                    node.at("oneOf"),
                    f"a value could fit several of its schemas ({branch.pointer} and {overlapping[0].pointer}), and "
                    f"that is not ruled out: {error}; use anyOf, or tell them apart by a const",
                ) from error
            ways += [
                (branch, *itertools.chain.from_iterable(combination))
                for combination in itertools.product(*opposites)
            ]
            if len(ways) > MAX_WAYS:
                raise SchemaRefusal(
                    node.at("oneOf"), f"it can be satisfied in more than {MAX_WAYS} ways; use anyOf"
                )
        return ways

    def _noted_values_of(self, facts: Facts) -> list[Value]:
        found = list(self._values_of(facts))
        if not found:
            self._note(next(iter(facts.pointers.values()), ""), "its limits contradict each other")
        return found

    def _values_of(self, facts: Facts) -> Iterable[Value]:
        if facts.enum is not None:
            kept = [value for value in facts.enum if self._admits(facts, value)]
            if not kept:
                self._note(facts.pointers["enum"], "none of its values fits the rest")
            yield from (Literal(json.dumps(value, ensure_ascii=False)) for value in kept)
            return
        for kind in sorted(facts.kinds):
            match kind:
                case "null" | "boolean":
                    for value in [None] if kind == "null" else [True, False]:
                        if not any(same(value, other) for other in facts.excluded):
                            yield Literal(json.dumps(value))
                case "integer":
                    yield from _integers(facts)
                case "fraction":
                    yield from _fractions(facts)
                case "string":
                    yield from _strings(facts)
                case "array":
                    yield from self._arrays(facts)
                case _:
                    yield from self._objects(facts)

    def _arrays(self, facts: Facts) -> Iterable[Value]:
        rules = facts.arrays
        num_places = max((len(rule.prefix) for rule in rules), default=0)
        places = [_nodes(rule.at(index) for rule in rules) for index in range(num_places)]
        rest: NodeSet | None = _nodes(rule.rest for rule in rules)
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
            self._note(facts.pointers["array"], "it contradicts the rest")
            return
        _raise_refusal(facts, "array", ([],) if most == 0 else ())
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
        pointer = facts.contains.node.pointer
        if (places or facts.unique is not None) and most != 0:
            raise SchemaRefusal(pointer, "it is not enforced beside prefixItems or uniqueItems")
        item = rest or frozenset()
        hit = item | _nodes([facts.contains.node])
        if facts.contains.least > (facts.contains.least if most is None else most) or self.is_empty(hit):
            self._note(pointer, "no item can fit it")
        else:
            yield ArrayWithHits(item, hit, facts.contains.least, facts.min_items, most, pointer)

    def _distinct(
        self, facts: Facts, places: list[NodeSet], rest: NodeSet | None, most: int | None
    ) -> Iterable[Value]:
        """Arrays of different items, where there are only a few literals to choose from."""
        reason = (
            f"it is enforced for items that are at most {MAX_DISTINCT} values of an enum, all places alike, or for one "
            "item at most"
        )
        pointer = facts.unique or ""
        if places or rest is None:
            raise SchemaRefusal(pointer, reason)
        values = self.values(rest) if rest not in self._under_way else ()
        texts = [value.text for value in values if isinstance(value, Literal)]
        if not values or len(texts) < len(values) or len(texts) > MAX_DISTINCT:
            raise SchemaRefusal(pointer, reason)
        distinct: list[str] = []
        for text in texts:
            if not any(same(json.loads(text), json.loads(other)) for other in distinct):
                distinct.append(text)
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
            names += [name for name in listed if name not in names]
        members: list[Member] = []
        for name in names:
            value = self._schemas_of(facts, name)
            is_required = name in facts.required
            if not self._may_name(facts, name) or self.is_empty(value):
                if is_required:
                    self._note(facts.required[name], f"nothing may be the value of {name[:50]!r}")
                    return
                continue
            members.append(Member(name, value, is_required))
        is_open = not names or any(rule.is_open for rule in facts.objects) or facts.min_members > len(members)
        further = list(self._further(facts, names, ways)) if is_open and listed is None else []
        num_required = sum(member.is_required for member in members)
        if facts.max_members is not None and facts.max_members < max(num_required, facts.min_members):
            self._note(facts.pointers["members"], "it contradicts the rest")
            return
        if facts.min_members > len(members) + bool(further):
            if further:
                raise SchemaRefusal(
                    facts.pointers.get("members", ""),
                    "that names of further members differ is not enforced; name the members in properties",
                )
            self._note(facts.pointers["members"], "it contradicts the rest")
            return
        _raise_refusal(facts, "object", ())
        yield ObjectValue(
            tuple(members),
            tuple(further),
            facts.min_members,
            facts.max_members,
            facts.pointers.get("members", ""),
        )

    def _name_ways(self, facts: Facts) -> list[Facts]:
        if not facts.names:
            return [Facts()]
        return [way for way in self._ways(frozenset(facts.names)) if "string" in way.kinds]

    def _may_name(self, facts: Facts, name: str) -> bool:
        return not facts.names or self._fits(frozenset(facts.names), name)

    def _schemas_of(self, facts: Facts, name: str) -> NodeSet:
        found: list[Node | None] = []
        for rule in facts.objects:
            matching = [one.node for one in rule.patterns if matches(one.conditions, name)]
            own = rule.properties.get(name)
            found += [*matching, own] if matching or own is not None else [rule.rest]
        return _nodes(found)

    def _further(self, facts: Facts, names: list[str], ways: list[Facts]) -> Iterable[FurtherMembers]:
        """Members beside those with a name, by the patterns that their names match."""
        patterns = [(index, one) for index, rule in enumerate(facts.objects) for one in rule.patterns]
        if len(patterns) > MAX_PATTERNS:
            raise SchemaRefusal(patterns[-1][1].node.pointer, f"of {MAX_PATTERNS} patterns at most")
        taken = tuple(Condition(content_of(name), holds=False) for name in names)
        for matched in itertools.product((True, False), repeat=len(patterns)):
            of_names = [_same_side(one, side) for (_, one), side in zip(patterns, matched, strict=True)]
            found: list[Node | None] = [
                one.node for (_, one), side in zip(patterns, matched, strict=True) if side
            ]
            of_pattern = {index for (index, _), side in zip(patterns, matched, strict=True) if side}
            found += [rule.rest for index, rule in enumerate(facts.objects) if index not in of_pattern]
            value = _nodes(found)
            if self.is_empty(value):
                continue
            for way in ways:
                _raise_refusal(way, "string", ())
                own = (*way.string_conditions(), *way.excluded_strings(), *_length(way, ANY_CHARACTER))
                conditions = (Condition(ANYTHING), *itertools.chain.from_iterable(of_names), *own, *taken)
                lexeme = string_lexeme(tuple(dict.fromkeys(conditions)))
                if not _is_empty(lexeme, way):
                    yield FurtherMembers(lexeme, value)

    def _fits(self, nodes: NodeSet, value: object) -> bool:
        """Whether a value fits schemas."""
        return any(self._admits(facts, value) for facts in self._ways(nodes))

    def _admits(self, facts: Facts, value: Any) -> bool:
        kind = kind_of(value)
        if kind not in facts.kinds or any(same(value, other) for other in facts.excluded):
            return False
        if facts.enum is not None and not any(same(value, other) for other in facts.enum):
            return False
        if kind in ("array", "object", "string") or kind in facts.refused:
            _raise_refusal(facts, kind, ())
        match value:
            case bool() | None:
                return True
            case int() | float():
                return facts.is_admitted_number(value)
            case str():
                most = facts.max_length
                return facts.min_length <= len(value) <= (len(value) if most is None else most) and matches(
                    facts.string_conditions(), value
                )
            case list():
                return self._admits_array(facts, value)
            case _:
                return self._admits_object(facts, value)

    def _admits_array(self, facts: Facts, value: list[Any]) -> bool:
        if not facts.min_items <= len(value) <= (len(value) if facts.max_items is None else facts.max_items):
            return False
        if facts.contains is not None:
            hit = _nodes([facts.contains.node])
            if sum(self._fits(hit, one) for one in value) < facts.contains.least:
                return False
        pairs = itertools.combinations(value, 2) if facts.unique is not None else ()
        return not any(same(one, other) for one, other in pairs) and all(
            self._fits(_nodes(rule.at(index) for rule in facts.arrays), one)
            for index, one in enumerate(value)
        )

    def _admits_object(self, facts: Facts, value: dict[str, Any]) -> bool:
        most = len(value) if facts.max_members is None else facts.max_members
        return (
            facts.min_members <= len(value) <= most
            and facts.required.keys() <= value.keys()
            and all(self._may_name(facts, name) for name in value)
            and all(self._fits(self._schemas_of(facts, name), one) for name, one in value.items())
        )


def _nodes(found: Iterable[Node | None]) -> NodeSet:
    return frozenset(
        node for node in found if node is not None and node.schema is not True and node.schema != {}
    )


def _raise_refusal(facts: Facts, kind: str, harmless: tuple[Any, ...]) -> None:
    """Raise the reason why a kind cannot be enforced, if there is one."""
    for value in facts.excluded:
        if kind in ("array", "object") and kind_of(value) == kind and value not in harmless:
            raise SchemaRefusal(
                facts.pointers["excluded"], f"that a value is not one certain {kind} is not enforced"
            )
    if kind in facts.refused:
        raise facts.refused[kind]


def _listed(ways: list[Facts]) -> list[str] | None:
    """All names that there can be; None where they are not listed."""
    if any(way.enum is None for way in ways):
        return None
    return [value for way in ways for value in way.enum or () if isinstance(value, str)]


def _same_side(rule: PatternRule, matches_it: bool) -> tuple[Condition, ...]:
    if matches_it:
        return rule.conditions
    if len(rule.conditions) > 1:
        raise SchemaRefusal(
            rule.node.pointer, "a pattern of names with a lookahead is not supported beside other names"
        )
    return tuple(Condition(one.regex, holds=not one.holds) for one in rule.conditions)


def _bounds(facts: Facts, margin: Fraction) -> tuple[Fraction | None, Fraction | None]:
    """Inclusive bounds of numbers that are multiples of a margin."""
    lower, upper = facts.lower, facts.upper
    if lower is not None and facts.lower_excluded:
        lower = (lower // margin + 1) * margin
    if upper is not None and facts.upper_excluded:
        upper = -((-upper) // margin + 1) * margin
    return lower, upper


def _integers(facts: Facts) -> Iterable[Value]:
    low, high = integer_bounds(*_bounds(facts, Fraction(1)))
    if low > high:
        return
    _raise_refusal(facts, "integer", ())
    step = facts.step()
    excluded = [int(value) for value in facts.excluded if kind_of(value) == "integer"]
    if step is not None and step > 1:
        first, last = -(-low // int(step)) * int(step), high // int(step) * int(step)
        if first > last:
            return
        if (last - first) // int(step) < MAX_LISTED:
            for number in range(first, last + 1, int(step)):
                if number not in excluded:
                    yield Literal(str(number))
        elif excluded:
            raise SchemaRefusal(
                facts.pointers["excluded"],
                "that a multiple is not one certain number is not enforced; list the rest in enum",
            )
        else:
            yield Multiples(int(step), first, last)
        return
    conditions = [Condition(str(number), holds=False) for number in excluded]
    lexeme = Lexeme((Condition(integer_range(low, high)), *conditions))
    if not _is_empty(lexeme, facts):
        yield Word(lexeme)


def _fractions(facts: Facts) -> Iterable[Value]:
    step = facts.step()
    if step is not None and step.denominator == 1:
        return
    regex = fraction_range(*_bounds(facts, Fraction(1, SCALE)))
    if regex is None:
        return
    _raise_refusal(facts, "fraction", ())
    conditions = [Condition(regex)]
    if step is not None:
        endings = {str(float(step * part)).partition(".")[2] for part in range(1, step.denominator)}
        conditions.append(Condition(rf"-?[0-9]+\.(?:{'|'.join(sorted(endings))})"))
    conditions += [
        Condition(_plain(value).replace(".", "\\."), holds=False)
        for value in facts.excluded
        if kind_of(value) == "fraction"
    ]
    lexeme = Lexeme(tuple(conditions))
    if not _is_empty(lexeme, facts):
        yield Word(lexeme)


def _plain(value: float) -> str:
    """A number without an exponent."""
    return f"{value:.20f}".rstrip("0") if "e" in repr(value) else repr(value)


def _strings(facts: Facts) -> Iterable[Value]:
    if facts.max_length is not None and facts.max_length < facts.min_length:
        return
    _raise_refusal(facts, "string", ())
    conditions = (*facts.string_conditions(), *facts.excluded_strings())
    if not conditions:
        if not facts.min_length and facts.max_length is None:
            yield ANY_STRING
        else:
            yield Word(string_lexeme(_length(facts, FREE_CHARACTER)))
        return
    lexeme = string_lexeme((Condition(ANYTHING), *conditions, *_length(facts, ANY_CHARACTER)))
    if not _is_empty(lexeme, facts):
        yield Word(lexeme)


def _length(facts: Facts, character: str) -> tuple[Condition, ...]:
    """Of a string's content."""
    if facts.min_length > MAX_LENGTH:
        raise SchemaRefusal(
            facts.pointers["string"],
            f"strings of more than {MAX_LENGTH} characters are not enforced; lower minLength",
        )
    if not facts.min_length and facts.max_length is None:
        return ()
    most = "" if facts.max_length is None else min(facts.max_length, MAX_LENGTH)
    return (Condition(f"(?:{character}){{{facts.min_length},{most}}}"),)


def _is_empty(lexeme: Lexeme, facts: Facts) -> bool:
    try:
        return is_empty(lexeme)
    except ValueError as error:
        raise SchemaRefusal(
            facts.pointers.get("string", ""), f"patterns and lengths are too large together ({error})"
        ) from error
