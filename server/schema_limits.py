"""How large JSON Schemas for an answer may be: beyond, compiling them takes seconds of the engine for one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_CHARACTERS = 120_000
"""Of the schemas of one answer as JSON text; OpenAI's limit on structured outputs counts alike."""
MAX_NESTING = 64
MAX_OPTIONAL = 100
"""Properties of one object that may be left out; xgrammar's time to compile grows with their square or faster.

So several objects together may have as many as weigh no more: the squares of their numbers are added.
"""


def why_too_large(schemas: Sequence[dict[str, Any]], texts: Sequence[str]) -> str | None:
    """The limit that the schemas of one grammar exceed, and what to do; None where they fit.

    Args:
        texts: the schemas as JSON.
    """
    num_characters = sum(map(len, texts))
    if num_characters > MAX_CHARACTERS:
        return f"it has {num_characters} characters, of {MAX_CHARACTERS} at most; shorten it"
    waiting: list[tuple[Any, int]] = [(schema, 1) for schema in schemas]
    weight = 0
    while waiting:
        value, nesting = waiting.pop()
        if nesting > MAX_NESTING:
            return f"it is nested deeper than {MAX_NESTING} levels; flatten it"
        if isinstance(value, dict):
            num_optional = _num_optional(value)
            if num_optional > MAX_OPTIONAL:
                return (
                    f"an object has {num_optional} optional properties, of {MAX_OPTIONAL} at most; "
                    "name more of them in required"
                )
            weight += num_optional**2
            waiting += [(one, nesting + 1) for one in value.values()]
        elif isinstance(value, list):
            waiting += [(one, nesting + 1) for one in value]
    if weight > MAX_OPTIONAL**2:
        return (
            f"the optional properties of its objects, each number squared, sum to {weight}, of {MAX_OPTIONAL**2} "
            "at most; name more of them in required"
        )
    return None


def _num_optional(schema: dict[str, Any]) -> int:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return 0
    named = [one for one in required if isinstance(one, str)] if isinstance(required, list) else []
    return len(properties.keys() - set(named))
