"""Whether a body can be stored as it came: JSON escapes can spell half a character, and parsers accept NaN."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import PydanticCustomError


def refuse_unstorable(body: Any) -> None:
    """Raises PydanticCustomError, which names the field, unless the body is JSON of valid Unicode."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        path, reason = None, "the body is nested too deep"
    except ValueError:
        path, reason = _first_fault(body) or (None, "the body is not JSON")
    else:
        return
    named = f"{path}: " if path else ""
    context = {"named": named, "param": path, "reason": reason}
    raise PydanticCustomError("not_offered", "{named}{reason}", context)


def _first_fault(value: object) -> tuple[str | None, str] | None:
    """Path and reason of the first text or number that cannot be stored; None if all can."""
    match value:
        case str():
            if _is_unicode(value):
                return None
            return None, "it has half a character, which is no valid unicode; send both halves or neither"
        case float():
            return None if math.isfinite(value) else (None, "it is not a finite number")
        case dict():
            children = list(value.items())
        case list():
            children = list(enumerate(value))
        case _:
            return None
    for name, child in children:
        fault = _first_fault(name) or _first_fault(child)
        if fault is not None:
            path, reason = fault
            # A name that is not valid Unicode cannot be shown.
            own = str(name) if _is_unicode(str(name)) else None
            return ".".join(part for part in (own, path) if part) or None, reason
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
