"""How large a JSON Schema for the answer may be: beyond, compiling it takes seconds of the engine for one request."""

from __future__ import annotations

from typing import Any

MAX_CHARACTERS = 120_000
"""Of the schema as JSON text; OpenAI's limit on structured outputs counts alike."""
MAX_NESTING = 64
MAX_OPTIONAL = 100
"""Properties of one object that may be left out; xgrammar's time to compile grows faster than their square."""


def why_too_large(schema: dict[str, Any], text: str) -> str | None:
    """The limit that a schema exceeds, and what to do; None for one that fits.

    Args:
        text: the schema as JSON.
    """
    if len(text) > MAX_CHARACTERS:
        return f"it has {len(text)} characters, of {MAX_CHARACTERS} at most; shorten it"
    waiting: list[tuple[Any, int]] = [(schema, 1)]
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
            waiting += [(one, nesting + 1) for one in value.values()]
        elif isinstance(value, list):
            waiting += [(one, nesting + 1) for one in value]
    return None


def _num_optional(schema: dict[str, Any]) -> int:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return 0
    named = [one for one in required if isinstance(one, str)] if isinstance(required, list) else []
    return len(properties.keys() - set(named))
