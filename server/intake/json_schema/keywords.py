"""The keywords of JSON Schema that are read, and what each may have.

They are an allow-list. What is not on it is refused by name and place, whether or not the standard would let a checker
pass it over: an answer must never break a rule that somebody wrote down.

https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import difflib
from typing import Any

ANNOTATIONS = frozenset(
    {
        "$comment",
        "$schema",
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "$defs",
        "definitions",
        "$vocabulary",
        "title",
        "description",
        "default",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "discriminator",
        "externalDocs",
        "xml",
    }
)
"""Say nothing of what a value may be."""
SCHEMAS = frozenset(
    {
        "additionalProperties",
        "propertyNames",
        "items",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "additionalItems",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Hold a schema."""
LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
COUNTS = frozenset(
    {
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minContains",
        "maxContains",
    }
)
NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
TEXTS = frozenset({"pattern", "format", "$ref", "$dynamicRef", "$anchor", "$dynamicAnchor"})
OTHERS = frozenset({"type", "enum", "const", "required", "dependentRequired", "uniqueItems", "dependencies"})
KEYWORDS = ANNOTATIONS | SCHEMAS | LISTS_OF_SCHEMAS | MAPS_OF_SCHEMAS | COUNTS | NUMBERS | TEXTS | OTHERS
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
DRAFTS = {
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
}
SINCE = {"prefixItems": 2020, "$dynamicRef": 2020, "minContains": 2019, "maxContains": 2019}
SINCE |= dict.fromkeys(
    ("unevaluatedItems", "unevaluatedProperties", "dependentRequired", "dependentSchemas"), 2019
)
"""Keywords that would be passed over in an older draft, so that others mean something else beside them."""
HINTS = {
    "nullable": 'add "null" to type instead',
    "$recursiveRef": "use $ref",
    "strict": "it belongs beside the schema, not into it",
    "optional": "leave the name out of required instead",
}
COMBINING = (
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
    "dependencies",
    "contains",
    "not",
)


def combines(schema: dict[str, Any]) -> bool:
    """Whether other schemas of the same value stand beside the keywords of one."""
    return any(keyword in schema for keyword in COMBINING)


def fault_of(keyword: str, value: object, draft: int) -> str | None:
    """What is wrong with a keyword or what it has; None where nothing is.

    Args:
        draft: year and number of the draft that the schema says it is written in, 2020 without any.
    """
    if keyword.startswith("x-"):
        return None
    if keyword not in KEYWORDS:
        return _unknown(keyword)
    if draft < SINCE.get(keyword, 0):
        return "the draft that $schema names does not have it yet; leave $schema out"
    fault: str | None = None
    if keyword in SCHEMAS and not isinstance(value, dict | bool):
        fault = "it must be a schema"
        if keyword == "items" and isinstance(value, list):
            fault = "since draft 2020-12 a list of schemas is called prefixItems"
            if draft < 2020 and _all_schemas(value):
                fault = None
    elif keyword in LISTS_OF_SCHEMAS and not (isinstance(value, list) and value and _all_schemas(value)):
        fault = "it must be a list of schemas that is not empty"
    elif keyword in MAPS_OF_SCHEMAS and not (isinstance(value, dict) and _all_schemas(value.values())):
        fault = "it must be an object of schemas"
    elif keyword in COUNTS and not _is_count(value):
        fault = "it must be an integer of at least 0"
    elif keyword in NUMBERS and not _is_number(value):
        fault = "it must be a number"
    elif keyword in TEXTS and not isinstance(value, str):
        fault = "it must be a string"
    return fault or _fault_of_value(keyword, value, draft)


def _fault_of_value(keyword: str, value: Any, draft: int) -> str | None:
    fault: str | None = None
    match keyword:
        case "multipleOf" if value <= 0:
            fault = "it must be above 0"
        case "type":
            names = value if isinstance(value, list) else [value]
            if not names or any(name not in TYPES for name in names if isinstance(name, str)):
                fault = f"types are {', '.join(TYPES)}"
            elif not all(isinstance(name, str) for name in names):
                fault = "it must be the name of a type, or a list of names"
        case "enum" if not (isinstance(value, list) and value):
            fault = "it must be a list of values that is not empty"
        case "required" if not _is_names(value):
            fault = "it must be a list of names"
        case "dependentRequired" if not (isinstance(value, dict) and all(map(_is_names, value.values()))):
            fault = "it must be an object of lists of names"
        case "dependencies" if not (
            isinstance(value, dict)
            and all(_is_names(one) or isinstance(one, dict | bool) for one in value.values())
        ):
            fault = "it must be an object of lists of names or schemas"
        case "uniqueItems" if not isinstance(value, bool):
            fault = "it must be true or false"
        case "$id" if not isinstance(value, str):
            fault = "it must be a string"
        case "$schema" if draft_of(value) is None:
            fault = f"drafts that are read are {', '.join(DRAFTS)}"
    return fault


def draft_of(value: object) -> int | None:
    """The draft that `$schema` names; None for one that is not read."""
    return DRAFTS.get(value.rstrip("#")) if isinstance(value, str) else None


def _unknown(keyword: str) -> str:
    if keyword in HINTS:
        return f"this keyword is not known; {HINTS[keyword]}"
    near = difflib.get_close_matches(keyword, sorted(KEYWORDS), n=1, cutoff=0.75)
    return (
        f"this keyword is not known; did you mean {near[0]}?"
        if near
        else "this keyword is not known; leave it out"
    )


def _all_schemas(values: Any) -> bool:
    return all(isinstance(value, dict | bool) for value in values)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value - value == 0


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)  # type: ignore[call-overload, operator]


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
