"""Which rules of a grammar a text can come of, and which are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

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
