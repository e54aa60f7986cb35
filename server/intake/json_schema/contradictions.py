"""Contradictions that are quick to see, so that ways that lead nowhere are not multiplied out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from steiner.server.intake.json_schema.document import Node
from steiner.server.intake.json_schema.facts import Facts
from steiner.server.intake.json_schema.kinds import key_of


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
