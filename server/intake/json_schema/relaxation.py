"""What of a schema can be enforced, where nobody insists on the whole: what cannot is left free."""

from __future__ import annotations

import copy
import time
from typing import Any

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import SchemaRules, schema_rules
from steiner.server.intake.json_schema.keywords import LISTS_OF_SCHEMAS, MAPS_OF_SCHEMAS, SCHEMAS

MAX_FREED = 50
"""Keywords that are let go one by one, before the whole schema is."""
MAX_SECONDS = 10
"""After which it is not tried again."""
OPPOSITES = frozenset({"not", "oneOf", "if"})
"""Asking for less within these asks for more of the value, so they go as a whole."""


def rules_as_far_as_possible(schema: object, prefix: str = "") -> SchemaRules:
    """Rules of JSON objects that fit as much of a schema as can be enforced; of any objects in the end."""
    relaxed: Any = copy.deepcopy(schema) if isinstance(schema, dict) else {}
    also = relaxed.get("allOf")
    also = also if isinstance(also, list) else []
    relaxed["allOf"] = [*also, {"type": "object"}]
    ends_s = time.monotonic() + MAX_SECONDS
    for _ in range(MAX_FREED):
        if time.monotonic() > ends_s:
            break
        try:
            return schema_rules(relaxed, prefix)
        except SchemaRefusal as refusal:
            if refusal.pointer.startswith(f"/allOf/{len(also)}") or not _free(relaxed, refusal.pointer):
                break
    return schema_rules({"type": "object"}, prefix)


def _free(schema: Any, pointer: str) -> bool:
    """Take the keyword at a pointer out of a schema, in place; whether that changes anything."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    at, is_schema = schema, True
    for index, step in enumerate(steps):
        is_last = index == len(steps) - 1
        if is_schema:
            if step not in at:
                return False
            if is_last or step in OPPOSITES or not _holds_schemas(step):
                del at[step]
                return True
            at = at[step]
            is_schema = step in SCHEMAS and not isinstance(at, list)
        elif isinstance(at, list):
            place = int(step)
            if is_last or not isinstance(at[place], dict):
                at[place] = True
                return True
            at, is_schema = at[place], True
        else:
            if is_last or not isinstance(at[step], dict):
                at[step] = True
                return True
            at, is_schema = at[step], True
        if isinstance(at, bool):
            return False
    return False


def _holds_schemas(keyword: str) -> bool:
    return keyword in SCHEMAS or keyword in LISTS_OF_SCHEMAS or keyword in MAPS_OF_SCHEMAS
