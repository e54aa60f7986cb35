"""The ways to satisfy schemas: references followed, combinations multiplied out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from steiner.server.intake.json_schema.apart import Apartness
from steiner.server.intake.json_schema.document import Node, SchemaDocument, SchemaRefusal
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.negation import Opposites, Way, made
from steiner.server.intake.json_schema.rules import NodeSet

MAX_WAYS = 3_000
"""To satisfy the schemas of one value."""
MAX_SECONDS = 10
"""For one document. Mostly it takes milliseconds, and the other limits end what would never end."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """A place where schemas leave several ways."""

    pointer: str
    ways: list[Way]


class Ways:
    """Finds them, for each set of schemas once.

    Args:
        is_empty: whether surely no value fits schemas.

    Raises:
        SchemaRefusal: from any method, where schemas cannot be enforced.
    """

    def __init__(self, document: SchemaDocument, is_empty: Callable[[NodeSet], bool]) -> None:
        self._document = document
        self._is_empty = is_empty
        self._opposites = Opposites(document.target)
        self._apartness = Apartness(self.of)
        self._ends_s = time.monotonic() + MAX_SECONDS
        self._facts: dict[NodeSet, list[Facts]] = {}
        self.conflict: SchemaRefusal | None = None
        """The first place where schemas were seen to contradict each other."""

    def check_time(self, pointer: str) -> None:
        """Refuse what takes longer than a request may wait for."""
        if time.monotonic() > self._ends_s:
            raise SchemaRefusal(pointer, f"to work it out takes more than {MAX_SECONDS} s; simplify it")

    def note(self, pointer: str, reason: str) -> None:
        """Remember where schemas contradict each other, if it is the first place."""
        self.conflict = self.conflict or SchemaRefusal(pointer, f"no value fits: {reason}")

    def of(self, nodes: NodeSet) -> list[Facts]:
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
                self.check_time(node.pointer)
                if node.schema is False:
                    self.note(node.pointer, "it is false")
                    facts.kinds = frozenset()
                    break
                facts.add(node)
                if not facts.kinds:
                    keyword = "type" if "type" in node.keywords else next(iter(node.keywords))
                    self.note(node.at(keyword), "it contradicts the rest")
                waiting = [*self._included(node), *waiting]
                choices = [*choices, *self._choices(node)]
            if not facts.kinds:
                continue
            if not choices:
                yield facts
                continue
            choice, *rest = choices
            if not choice.ways:
                self.note(choice.pointer, "it leaves no way to satisfy it")
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
                at = (keyword, name)
                absent: Way = (made(node, {"properties": {name: False}}, *at),)
                present = made(node, {"type": "object", "required": [name]}, *at)
                is_list = isinstance(asked, list)
                also = made(node, {"required": asked}, *at) if is_list else node.child(keyword, name)
                yield _Choice(node.at(keyword, name), [absent, (present, also)])

    def _exactly_one(self, node: Node) -> list[Way]:
        """Branches, each with the opposite of those that could fit as well."""
        branches = [node.child("oneOf", index) for index in range(len(node.keywords["oneOf"]))]
        siblings = {keyword: value for keyword, value in node.keywords.items() if keyword != "oneOf"}
        rest = Node(f"{node.id}~without oneOf", node.pointer, siblings, node.is_made)
        ways: list[Way] = []
        for branch in branches:
            others = [one for one in branches if one is not branch]
            overlapping = [
                one
                for one in others
                if not self._apartness.of(branch, one) and not self._is_empty(frozenset({rest, branch, one}))
            ]
            try:
                opposites = [self._opposites.of(one) for one in overlapping]
            except SchemaRefusal as error:
                raise SchemaRefusal(
                    node.at("oneOf"),
                    f"a value could fit several of its schemas ({branch.pointer} and {overlapping[0].pointer}), and "
                    f"that is not ruled out: {error}; use anyOf, or tell them apart by a const",
                ) from error
            for combination in itertools.product(*opposites):
                ways.append((branch, *itertools.chain.from_iterable(combination)))
                if len(ways) > MAX_WAYS:
                    raise SchemaRefusal(
                        node.at("oneOf"), f"it can be satisfied in more than {MAX_WAYS} ways; use anyOf"
                    )
        return ways
