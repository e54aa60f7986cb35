"""The ways to satisfy schemas: references followed, combinations multiplied out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from steiner.server.intake.json_schema.apart import Apartness
from steiner.server.intake.json_schema.document import Node, SchemaDocument, SchemaRefusal
from steiner.server.intake.json_schema.evaluation import NO_SCOPES, Evaluation, Scopes
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import KINDS, key_of
from steiner.server.intake.json_schema.negation import Opposites, Way, made
from steiner.server.intake.json_schema.rules import NodeSet

MAX_WAYS = 3_000
"""To satisfy the schemas of one value."""
MAX_SECONDS = 10
"""For one document. Mostly it takes milliseconds, and the other limits end what would never end."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """One way to satisfy a choice.

    Attributes:
        nodes: that evaluate the parts that they speak of, in the sense of `unevaluatedProperties`.
        silent: that do not, as they are not in the schema themselves or stand within `not`.
    """

    nodes: Way
    silent: Way = ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """A place where schemas leave several ways."""

    pointer: str
    branches: list[_Branch]
    scopes: Scopes = frozenset()


@dataclass(slots=True)
class _Path:
    """One way so far.

    Attributes:
        waiting: schemas that are still to be taken in, and the scopes that they evaluate for.
    """

    facts: Facts
    waiting: list[tuple[Node, Scopes]]
    choices: list[_Choice]
    seen: set[tuple[str, Scopes]]
    taken: set[str]
    evaluation: Evaluation

    def branch(self, rest: list[_Choice], choice: _Choice, branch: _Branch) -> _Path:
        """The path that goes on with one branch of a choice."""
        waiting = [(node, choice.scopes) for node in branch.nodes]
        waiting += [(node, NO_SCOPES) for node in branch.silent]
        return _Path(
            self.facts.copy(), waiting, rest, set(self.seen), set(self.taken), self.evaluation.copy()
        )


class Ways:
    """Finds them, for each set of schemas once.

    Args:
        may_fit: whether any value could fit schemas; true where that cannot be told.

    Raises:
        SchemaRefusal: from any method, where schemas cannot be enforced.
    """

    def __init__(self, document: SchemaDocument, may_fit: Callable[[NodeSet], bool]) -> None:
        self._document = document
        self._may_fit = may_fit
        self.opposites = Opposites(document.target)
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
        waiting = [(node, NO_SCOPES) for node in nodes]
        stack = [_Path(Facts(), waiting, [], set(), set(), Evaluation())]
        num_ways = 0
        while stack:
            path = stack.pop()
            while path.waiting and path.facts.kinds:
                self._take_in(path)
            if not path.facts.kinds:
                continue
            if (contradiction := contradiction_in(path.facts)) is not None:
                self.note(contradiction, "a member that is asked for cannot be there")
                continue
            if not path.choices:
                path.evaluation.close(path.facts)
                yield path.facts
                continue
            choice, *rest = path.choices
            if not choice.branches:
                self.note(choice.pointer, "it leaves no way to satisfy it")
            num_ways += len(choice.branches)
            if num_ways > MAX_WAYS:
                raise SchemaRefusal(
                    choice.pointer,
                    f"with the rest there are more than {MAX_WAYS} ways to satisfy it; simplify it",
                )
            stack += [path.branch(rest, choice, branch) for branch in reversed(choice.branches)]

    def _take_in(self, path: _Path) -> None:
        node, scopes = path.waiting.pop(0)
        if (node.id, scopes) in path.seen or node.schema is True:
            return
        path.seen.add((node.id, scopes))
        self.check_time(node.pointer)
        if node.schema is False:
            self.note(node.pointer, "it is false")
            path.facts.kinds = frozenset()
            return
        if node.id not in path.taken:
            path.taken.add(node.id)
            path.facts.add(node)
        if not path.facts.kinds:
            keyword = "type" if "type" in node.keywords else next(iter(node.keywords))
            self.note(node.at(keyword), "it contradicts the rest")
        path.evaluation.add(node, scopes)
        scopes = path.evaluation.scopes_within(node, scopes)
        path.waiting[:0] = [(one, scopes) for one in self._included(node)]
        path.choices = [*path.choices, *(replace(choice, scopes=scopes) for choice in self._choices(node))]

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
            branches = [_Branch((node.child("anyOf", index),)) for index in range(len(schema["anyOf"]))]
            choices.append(_Choice(node.at("anyOf"), branches))
        if "oneOf" in schema:
            choices.append(_Choice(node.at("oneOf"), self._exactly_one(node)))
        if "not" in schema:
            opposites = self.opposites.of(node.child("not"))
            choices.append(_Choice(node.at("not"), [_Branch((), way) for way in opposites]))
        if "if" in schema and ("then" in schema or "else" in schema):
            holds = (node.child("if"), *([node.child("then")] if "then" in schema else []))
            otherwise = (node.child("else"),) if "else" in schema else ()
            branches = [_Branch(otherwise, way) for way in self.opposites.of(node.child("if"))]
            choices.append(_Choice(node.at("if"), [_Branch(holds), *branches]))
        return choices + list(self._dependencies(node))

    def _dependencies(self, node: Node) -> Iterable[_Choice]:
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, asked in node.keywords.get(keyword, {}).items():
                at = (keyword, name)
                absent = made(node, {"type": "object", "properties": {name: False}}, *at)
                present = made(node, {"type": "object", "required": [name]}, *at)
                is_list = isinstance(asked, list)
                also = made(node, {"required": asked}, *at) if is_list else node.child(keyword, name)
                # What is no object is fine, too.
                other = made(node, {"$kinds": [kind for kind in KINDS if kind != "object"]}, *at)
                branches = [_Branch((), (absent,)), _Branch((also,), (present,)), _Branch((), (other,))]
                yield _Choice(node.at(keyword, name), branches)

    def _exactly_one(self, node: Node) -> list[_Branch]:
        """Branches, each with the opposite of those that could fit as well."""
        branches = [node.child("oneOf", index) for index in range(len(node.keywords["oneOf"]))]
        # Less is asked of the rest than the schema does, so that what could fit two branches is found.
        siblings = {
            keyword: value
            for keyword, value in node.keywords.items()
            if keyword != "oneOf" and not keyword.startswith("unevaluated")
        }
        rest = Node(f"{node.id}~without oneOf", node.pointer, siblings, node.is_made)
        ways: list[_Branch] = []
        for branch in branches:
            others = [one for one in branches if one is not branch]
            overlapping = [
                one
                for one in others
                if not self._apartness.of(branch, one) and self._may_fit(frozenset({rest, branch, one}))
            ]
            try:
                opposites = [self.opposites.of(one) for one in overlapping]
            except SchemaRefusal as error:
                raise SchemaRefusal(
                    node.at("oneOf"),
                    f"a value could fit several of its schemas ({branch.pointer} and {overlapping[0].pointer}), and "
                    f"that is not ruled out: {error}; use anyOf, or tell them apart by a const",
                ) from error
            for combination in itertools.product(*opposites):
                ways.append(_Branch((branch,), tuple(itertools.chain.from_iterable(combination))))
                if len(ways) > MAX_WAYS:
                    raise SchemaRefusal(
                        node.at("oneOf"), f"it can be satisfied in more than {MAX_WAYS} ways; use anyOf"
                    )
        return ways


def contradiction_in(facts: Facts) -> str | None:
    """The pointer to what keeps out a member that is asked for, by constants alone; None where nothing does."""
    if facts.kinds != {"object"}:
        return None
    found = (_impossible(facts, name, pointer) for name, pointer in facts.required.items())
    return next((pointer for pointer in found if pointer is not None), None)


def _impossible(facts: Facts, name: str, pointer: str) -> str | None:
    left: set[Hashable] | None = None
    excluded: set[Hashable] = set()
    for node in (rule.properties.get(name) for rule in facts.objects):
        if node is None:
            continue
        if node.schema is False:
            return node.pointer
        listed = _listed(node)
        if listed is not None:
            left = listed if left is None else left & listed
        denied = node.keywords.get("not")
        if isinstance(denied, dict) and denied.keys() <= {"const", "enum"} and len(denied) == 1:
            excluded |= _keys(denied)
    return pointer if left is not None and not left - excluded else None


def _listed(node: Node) -> set[Hashable] | None:
    return _keys(node.keywords) if node.keywords.keys() & {"const", "enum"} else None


def _keys(schema: dict[str, Any]) -> set[Hashable]:
    lists: Iterable[Any] = [schema["const"]] if "const" in schema else schema["enum"]
    found = set(map(key_of, lists))
    return found & set(map(key_of, schema["enum"])) if "enum" in schema else found
