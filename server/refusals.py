"""Validation errors of pydantic, said to a client: which field, what was given, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

LONGEST_SHOWN = 80


class Refusal(NamedTuple):
    """Message for a person, and the path of the field, such as ``messages.0.content``."""

    message: str
    param: str | None


def refusal(errors: Sequence[Mapping[str, Any]], known_fields: Iterable[str] = ()) -> Refusal:
    """The first of pydantic's errors as one sentence; the others are counted.

    Args:
        errors: as `ValidationError.errors()` gives them; `loc` may start with FastAPI's "body".
        known_fields: names to suggest for a misspelled one.
    """
    error = errors[0]
    param = _param(error)
    message = _message(error, param, known_fields)
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more)"
    return Refusal(message, param)


def _param(error: Mapping[str, Any]) -> str | None:
    named = error.get("ctx", {}).get("param")
    if isinstance(named, str):
        return named
    # Parts in brackets are branches of a union, or say "the key itself": nothing that a client knows.
    loc = [str(part) for part in error["loc"] if not str(part).startswith(("(", "["))]
    if loc and loc[0] in ("body", "query", "path", "header"):
        loc = loc[1:]
    return ".".join(loc) or None


def _message(error: Mapping[str, Any], param: str | None, known_fields: Iterable[str]) -> str:
    given = repr(error.get("input"))
    if len(given) > LONGEST_SHOWN:
        given = given[:LONGEST_SHOWN] + "..."
    field = param or "the body"
    match error["type"]:
        case "extra_forbidden":
            name = str(error["loc"][-1])
            near = difflib.get_close_matches(name, list(known_fields), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"unknown field {param!r}{hint}"
        case "missing":
            return f"{field} is missing"
        case "json_invalid":
            return f"the body is not valid JSON: {error.get('ctx', {}).get('error', 'unreadable')}"
        case "not_offered" | "contradiction":
            return str(error["msg"])
        case "value_error":
            text = str(error["msg"]).removeprefix("Value error, ")
            return f"{param}: {text}" if param else text
        case "model_attributes_type" | "dict_type" if param is None:
            return "the body must be a JSON object, sent with Content-Type: application/json"
        case _:
            return f"{field}: {error['msg'][0].lower()}{error['msg'][1:]}; given {given}"
