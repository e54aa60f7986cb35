"""pydantic's validation errors in words for a client: which field, what was given, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from steiner.server.http.object_fields import fields_at

SOURCES = ("body", "query", "path", "header")
LONGEST_SHOWN = 80


class Refusal(NamedTuple):
    """A message for people, and the path of the field, such as ``messages.0.content``."""

    message: str
    param: str | None


def refusal(
    errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None, text: object = None
) -> Refusal:
    """The first of pydantic's errors as one sentence; the others are counted.

    Args:
        errors: as `ValidationError.errors()` gives them; `loc` may start with FastAPI's "body".
        model: what was validated, whose fields are suggested for a misspelled one.
        text: of a body that is not JSON.
    """
    error = errors[0]
    if error["type"] == "json_invalid":
        return Refusal(_broken(error, str(text)), None)
    param = _param(error)
    message = _message(error, param, model)
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more)"
    return Refusal(message, param)


def _broken(error: Mapping[str, Any], text: str) -> str:
    """Where the JSON breaks; FastAPI has the place in `loc`."""
    position = int(error["loc"][-1])
    before = text[:position]
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    return f"the body is not valid JSON: {error['ctx']['error']}: line {line}, column {column} (character {position})"


def _path(error: Mapping[str, Any]) -> list[str | int]:
    loc = list(error["loc"])
    return loc[1:] if loc and loc[0] in SOURCES else loc


def _param(error: Mapping[str, Any]) -> str | None:
    named = error.get("ctx", {}).get("param")
    if isinstance(named, str):
        return named
    # Parts in brackets are branches of a union, or mean "the key itself". Clients know neither.
    path = [str(part) for part in _path(error)]
    *path, last = [*path, error["ctx"]["field"]] if "field" in error.get("ctx", {}) else path or [""]
    parts = [part for part in path if not part.startswith(("(", "["))]
    if error["type"] == "extra_forbidden" or not last.startswith(("(", "[")):
        parts.append(last)
    return ".".join(parts) or None


def _message(error: Mapping[str, Any], param: str | None, model: type[BaseModel] | None) -> str:
    given = repr(error.get("input"))
    if len(given) > LONGEST_SHOWN:
        given = given[:LONGEST_SHOWN] + "..."
    field = param or "the body"
    match error["type"]:
        case "extra_forbidden":
            name = str(error["loc"][-1])
            near = difflib.get_close_matches(name, sorted(_siblings(error, model)), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"unknown field {param!r}{hint}"
        case "missing":
            return f"{field} is missing"
        case "not_offered" if "field" in error["ctx"]:
            return f"{param}: {error['ctx']['reason']}"
        case "not_offered" | "contradiction":
            return str(error["msg"])
        case "value_error":
            text = str(error["msg"]).removeprefix("Value error, ")
            return f"{param}: {text}" if param else text
        case "model_attributes_type" | "dict_type" if param is None:
            return "the body must be a JSON object, sent with Content-Type: application/json"
        case _:
            return f"{field}: {error['msg'][0].lower()}{error['msg'][1:]}; given {given}"


def _siblings(error: Mapping[str, Any], model: type[BaseModel] | None) -> frozenset[str]:
    """The fields of the object that has an unknown one."""
    return frozenset() if model is None else fields_at(model, _path(error)[:-1])
