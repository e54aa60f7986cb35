"""The fields that an object in a request may have, found by the object's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
"""One of pydantic-core's, https://docs.pydantic.dev/latest/api/pydantic_core_schema/."""

AROUND_ANOTHER = ("default", "function-after", "function-before", "function-wrap", "model", "nullable")


def fields_at(model: type[BaseModel], path: Sequence[str | int]) -> frozenset[str]:
    """Names that clients may use in the object at a place; none if there is no object of a model.

    Args:
        model: of the whole request.
        path: `loc` of an error of pydantic, which also names the branches of unions that it took.
    """
    definitions: dict[str, Schema] = {}
    schema = _opened(model.__pydantic_core_schema__, definitions)  # type: ignore[arg-type]
    for part in path:
        inner = _inside(schema, part)
        if inner is None:
            return frozenset()
        schema = _opened(inner, definitions)
    return frozenset(_names(schema)) if schema["type"] == "model-fields" else frozenset()


def _opened(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The schema of the value itself, without the validators around it."""
    while True:
        if schema["type"] == "definitions":
            definitions |= {one["ref"]: one for one in schema["definitions"]}
        if schema["type"] == "definition-ref":
            schema = definitions[schema["schema_ref"]]
        elif schema["type"] in (*AROUND_ANOTHER, "definitions"):
            schema = schema["schema"]
        else:
            return schema


def _inside(schema: Schema, part: str | int) -> Schema | None:
    inner: Schema | None = None
    match schema["type"]:
        case "model-fields":
            inner = _names(schema).get(str(part), {}).get("schema")
        case "list":
            inner = schema.get("items_schema")
        case "tuple":
            # In requests, tuples are immutable lists of any length.
            inner = schema["items_schema"][0]
        case "dict":
            inner = schema.get("values_schema")
        case "tagged-union":
            inner = schema["choices"].get(part)
    return inner


def _names(schema: Schema) -> dict[str, Schema]:
    return {field.get("validation_alias", name): field for name, field in schema["fields"].items()}
