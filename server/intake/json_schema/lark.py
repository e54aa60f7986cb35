"""The values that fit a schema as rules of llguidance's Lark.

Between two words of the JSON there may be one character of white space, which is what models are trained to write and
nothing to lose themselves in.

https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from steiner.server.intake.json_schema.alternation import one_of_texts
from steiner.server.intake.json_schema.code_points import escaped
from steiner.server.intake.json_schema.document import Node, SchemaRefusal
from steiner.server.intake.json_schema.normal_form import NormalForm
from steiner.server.intake.json_schema.rules import NodeSet
from steiner.server.intake.json_schema.string_content import content_of
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

MAX_RULES = 20_000
"""Of one grammar."""
MAX_OPEN = 600
"""Alternatives of one value, and the members of each that may be left out: the parser looks at all that could come."""
_SPACE = r"[ \n\r\t]?"
PUNCTUATION = {
    "OPEN_OBJECT": rf"\{{{_SPACE}",
    "CLOSE_OBJECT": rf"{_SPACE}\}}",
    "OPEN_ARRAY": rf"\[{_SPACE}",
    "CLOSE_ARRAY": rf"{_SPACE}\]",
    "COMMA": rf"{_SPACE},{_SPACE}",
    "COLON": rf"{_SPACE}:{_SPACE}",
}


class Rules:
    """Writes rules, those of each set of schemas once.

    Args:
        prefix: of the names of rules and terminals, so that several schemas go into one grammar.

    Raises:
        SchemaRefusal: from `name_of`: there would be too many, or an object has too many optional members.
    """

    def __init__(self, form: NormalForm, prefix: str = "") -> None:
        self._form = form
        self._prefix = prefix
        self._names: dict[NodeSet, str] = {}
        self._terminals: dict[str, str] = {}
        self._bodies: dict[str, list[str]] = {}
        self._waiting: list[NodeSet] = []

    def name_of(self, nodes: NodeSet) -> str:
        """The rule of the values that fit schemas."""
        name = self._name(nodes)
        while self._waiting:
            following = self._waiting.pop()
            own = self._names[following]
            self._bodies[own] = self._alternatives(following)
            if len(self._bodies) > MAX_RULES:
                raise SchemaRefusal("", f"its grammar has more than {MAX_RULES} rules; simplify it")
        return name

    def lines(self, root: str) -> list[str]:
        """The rules that a value can come of, and the terminals; none where nothing fits the root."""
        written = productive(self._bodies)
        if root not in written:
            return []
        used = needed(root, written)
        rules = [f"{name}: {' | '.join(written[name])}" for name in written if name in used]
        return rules + [f"{name}: {body}" for body, name in self._terminals.items() if name in used]

    def _alternatives(self, nodes: NodeSet) -> list[str]:
        """Those of one value. Literals are one word: the parser looks at every alternative, the lexer at none twice."""
        values = self._form.values(nodes)
        texts = [value.text for value in values if isinstance(value, Literal)]
        others = [value for value in values if not isinstance(value, Literal)]
        num_open = sum(1 + _num_optional(value) for value in others)
        if num_open > MAX_OPEN:
            pointer = min((_widest(node) for node in nodes), default="")
            raise SchemaRefusal(
                pointer,
                f"it has {num_open} alternatives and optional properties at one place, of {MAX_OPEN} at most; "
                "name more of them in required, or split it",
            )
        words = [self._terminal(f"/{one_of_texts(texts)}/")] if texts else []
        return words + [self._value(value) for value in others]

    def _name(self, nodes: NodeSet) -> str:
        name = self._names.get(nodes)
        if name is None:
            name = self._names[nodes] = f"{self._prefix}value{len(self._names)}"
            self._waiting.append(nodes)
        return name

    def _rule(self, kind: str, *alternatives: str) -> str:
        name = f"{self._prefix}{kind}_{len(self._bodies)}"
        self._bodies[name] = list(alternatives)
        return name

    def _terminal(self, body: str) -> str:
        return self._terminals.setdefault(body, f"{self._prefix.upper()}WORD{len(self._terminals)}")

    def _value(self, value: Value) -> str:
        match value:
            case Literal(text):
                return self._terminal(f"/{one_of_texts([text])}/")
            case Word(lexeme):
                return self._terminal(lexeme.lark())
            case Multiples(step, low, high):
                limits = f'"multipleOf": {step}, "minimum": {low}, "maximum": {high}'
                return self._rule("multiple", f'%json {{"type": "integer", {limits}}}')
            case ArrayWithHits():
                return self._with_hits(value)
            case DistinctArray():
                return self._distinct(value)
            case ArrayValue():
                return self._array(value)
            case ObjectValue():
                return self._object(value)

    def _array(self, array: ArrayValue) -> str:
        """`[`, then what follows each place as a rule of its own."""
        most = array.max_items
        num_places = len(array.prefix)
        behind: str | None = None
        if array.rest is not None and (most is None or most > num_places):
            least = max(array.min_items - num_places, 0)
            room = None if most is None else most - num_places
            behind = self._repeated(self._name(array.rest), least, room, is_first=not num_places)
        following = behind
        for index in range(num_places - 1, -1, -1):
            item = f"{'COMMA ' if index else ''}{self._name(array.prefix[index])}"
            choices = [item if following is None else f"{item} {following}"]
            if following is not None and index + 1 >= array.min_items:
                choices.append(item)
            if index >= array.min_items and not index:
                choices.append('""')
            following = self._rule("items", *choices) if len(choices) > 1 else choices[0]
        return f"OPEN_ARRAY {following} CLOSE_ARRAY" if following is not None else "OPEN_ARRAY CLOSE_ARRAY"

    def _repeated(self, item: str, least: int, most: int | None, *, is_first: bool) -> str:
        """So many items, with commas."""
        if not is_first:
            return self._rule("items", _times(f"COMMA {item}", least, most))
        more = _times(f"COMMA {item}", max(least - 1, 0), None if most is None else most - 1)
        return self._rule("items", f"{item} {more}", *(['""'] if not least else []))

    def _with_hits(self, array: ArrayWithHits) -> str:
        """A rule for each number of items and hits, as far as they count."""
        least, enough = array.min_hits, max(array.min_hits, array.max_hits or 0)
        last = max(array.min_items, enough, len(array.items)) if array.max_items is None else array.max_items
        if (last + 1) * (enough + 1) > MAX_RULES // 4:
            raise SchemaRefusal(array.pointer, "it is not enforced for so many items; lower the limits")
        names: dict[tuple[int, int], str] = {}
        for number in range(last, -1, -1):
            place = min(number, len(array.items) - 1)
            for hits in range(min(number, enough), -1, -1):
                choices = ['""'] if number >= array.min_items and hits >= least else []
                own = names[number, hits] = self._rule("hits", *choices)
                if number < last or array.max_items is None:
                    comma = "COMMA " if number else ""
                    following = min(number + 1, last)
                    choices += [
                        f"{comma}{self._name(item)} {names[following, hits]}" for item in array.items[place]
                    ]
                    if hits < enough:
                        choices.append(f"{comma}{self._name(array.hits[place])} {names[following, hits + 1]}")
                self._bodies[own] = choices
        return f"OPEN_ARRAY {names[0, 0]} CLOSE_ARRAY"

    def _distinct(self, array: DistinctArray) -> str:
        """A rule for each set of items that have been written."""
        words = [self._terminal(f"/{escaped(text)}/") for text in array.texts]
        names: dict[int, str] = {}
        for taken in range(2 ** len(words) - 1, -1, -1):
            number = taken.bit_count()
            if number > array.max_items:
                continue
            choices = ['""'] if number >= array.min_items else []
            if number < array.max_items:
                comma = "COMMA " if number else ""
                choices += [
                    f"{comma}{word} {names[taken | 1 << index]}"
                    for index, word in enumerate(words)
                    if not taken >> index & 1
                ]
            names[taken] = self._rule("distinct", *choices)
        return f"OPEN_ARRAY {names[0]} CLOSE_ARRAY"

    def _object(self, value: ObjectValue) -> str:
        members = [
            member for member in value.members if member.is_required or not self._form.is_empty(member.value)
        ]
        num_optional = sum(not member.is_required for member in members)
        num_required = len(members) - num_optional
        most = value.max_members
        if value.min_members <= num_required and (
            most is None or (most >= len(members) and not value.further)
        ):
            body = _Uncounted(self, members, value.further).rule()
        else:
            body = _Counted(self, members, value).rule(0, 0)
        return f"OPEN_OBJECT {body} CLOSE_OBJECT"

    def member(self, member: Member) -> str:
        """A member with a name."""
        name = self._terminal(f'/"{content_of(member.name)}"/')
        return f"{name} COLON {self._name(member.value)}"

    def further(self, further: Iterable[FurtherMembers]) -> str:
        """Any further member."""
        choices = (f"{self._terminal(one.name.lark())} COLON {self._name(one.value)}" for one in further)
        return self._rule("further", *choices)

    def rule(self, kind: str, *alternatives: str) -> str:
        """A rule of its own; its name."""
        return self._rule(kind, *alternatives)


class _Uncounted:
    """The members of an object whose number is not limited."""

    def __init__(self, rules: Rules, members: list[Member], further: tuple[FurtherMembers, ...]) -> None:
        self._rules = rules
        self._members = members
        self._further = rules.further(further) if further else None

    def rule(self) -> str:
        """All of them; from the last one on, as first and as later one."""
        rules, further = self._rules, self._further
        if further is None:
            first = later = rules.rule("end", '""')
        else:
            first = rules.rule("end", f"{further} (COMMA {further})*", '""')
            later = rules.rule("end", f"(COMMA {further})*")
        for member in reversed(self._members):
            text = rules.member(member)
            choices = [f"{text} {later}"], [f"COMMA {text} {later}"]
            if not member.is_required:
                choices[0].append(first)
                choices[1].append(later)
            first, later = (rules.rule("members", *one) if len(one) > 1 else one[0] for one in choices)
        return first


class _Counted:
    """The members of an object whose number is limited: a rule for each place and number."""

    def __init__(self, rules: Rules, members: list[Member], value: ObjectValue) -> None:
        self._rules = rules
        self._members = members
        self._texts = [rules.member(member) for member in members]
        self._further = rules.further(value.further) if value.further else None
        self._min = value.min_members
        self._max = value.max_members
        self._pointer = value.pointer
        self._names: dict[tuple[int, int], str] = {}

    def rule(self, index: int, number: int) -> str:
        """What may follow the members before `index`, of which `number` have been written."""
        limit = len(self._members) if self._max is None else min(self._max, len(self._members))
        if len(self._members) * limit > MAX_RULES // 4:
            raise SchemaRefusal(self._pointer, "it is not enforced for so many properties; leave it out")
        for place in range(len(self._members), index - 1, -1):
            for count in range(min(place, limit), -1, -1):
                self._names[place, count] = self._rules.rule("members", *self._choices(place, count))
        return self._names[index, number]

    def _choices(self, place: int, number: int) -> list[str]:
        comma = "COMMA " if number else ""
        if place == len(self._members):
            return self._end(number, comma)
        choices = []
        if self._max is None or number < self._max:
            choices.append(f"{comma}{self._texts[place]} {self._names[place + 1, number + 1]}")
        if not self._members[place].is_required:
            choices.append(self._names[place + 1, number])
        return choices

    def _end(self, number: int, comma: str) -> list[str]:
        choices = ['""'] if number >= self._min else []
        room = None if self._max is None else self._max - number
        # Further members may all have one name: the first counts, the rest may not.
        if self._further is not None and room != 0 and number + 1 >= self._min:
            more = _times(f"COMMA {self._further}", 0, None if room is None else room - 1)
            choices.append(f"{comma}{self._further} {more}")
        return choices


def _widest(node: Node) -> str:
    """The pointer to the keyword of a schema that leaves most open."""
    sizes = {
        keyword: len(node.keywords[keyword])
        for keyword in ("anyOf", "oneOf", "properties", "type")
        if keyword in node.keywords
    }
    return node.at(max(sizes, key=lambda keyword: sizes[keyword])) if sizes else node.pointer


def _num_optional(value: Value) -> int:
    if not isinstance(value, ObjectValue):
        return 0
    return sum(not member.is_required for member in value.members)


def _times(content: str, least: int, most: int | None) -> str:
    """So many of something; None for any number."""
    if most == 0:
        return '""'
    return f"({content}){{{least},{'' if most is None else most}}}"


Bodies = Mapping[str, list[str]]
"""Alternatives by the name of their rule."""
_MARKS = str.maketrans("(){}*", "     ")


def names_in(alternative: str) -> set[str]:
    """Words of an alternative; names of rules and terminals are among them."""
    return set() if alternative.startswith("%json") else set(alternative.translate(_MARKS).split())


def productive(bodies: Bodies) -> dict[str, list[str]]:
    """Rules less the alternatives that never come to an end."""
    missing = {
        (name, index): {word for word in names_in(alternative) if word in bodies}
        for name, alternatives in bodies.items()
        for index, alternative in enumerate(alternatives)
    }
    users: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for place, words in missing.items():
        for word in words:
            users[word].append(place)
    found: set[str] = set()
    waiting = [name for (name, _), words in missing.items() if not words]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for place in users[name]:
            missing[place].discard(name)
            if not missing[place]:
                waiting.append(place[0])
    kept = {
        name: [one for index, one in enumerate(alternatives) if not missing[name, index]]
        for name, alternatives in bodies.items()
    }
    return {name: alternatives for name, alternatives in kept.items() if alternatives}


def needed(root: str, bodies: Bodies) -> set[str]:
    """Every name that comes up from a rule on, its own included."""
    found, waiting = {root}, [root]
    while waiting:
        for alternative in bodies.get(waiting.pop(), ()):
            for name in names_in(alternative) - found:
                found.add(name)
                waiting.append(name)
    return found
