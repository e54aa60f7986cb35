"""The reference of the HTTP interface, from the server's own OpenAPI document.

Written here because essentials-openapi (1.4), which does the same for MkDocs, leaves the type of every nullable field
blank and knows no streams (`itemSchema` of OpenAPI 3.2).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from steiner.server.app import create_app
from steiner.server.model.service import Service
from steiner.server.settings import Settings

Schema = Mapping[str, Any]
REFERENCE = "#/components/schemas/"


def rest_page() -> str:
    """Every operation, then every schema that one of them names."""
    document = create_app(Service(Settings(store="memory"), CollectorRegistry())).openapi()
    parts = [
        "# REST",
        f"{document['info']['description']} The running server shows the same at `/docs`, with requests to try, "
        "and serves the document itself at `/openapi.json`.",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += list(_operation(method, path, operation))
    parts.append("## Schemas")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += list(_schema(name, schema))
    return "\n\n".join(parts) + "\n"


def _operation(method: str, path: str, operation: Schema) -> Iterator[str]:
    yield f"## {method.upper()} {path}"
    yield f"**{operation['summary']}.** {operation['description']}"
    if operation.get("parameters"):
        yield _table(
            ("parameter", "in", "type", ""),
            [
                (f"`{given['name']}`", given["in"], _type(given["schema"]), given.get("description", ""))
                for given in operation["parameters"]
            ],
        )
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]
        yield f"The body is a {_type(body['schema'])}. Examples:"
        for example in body.get("examples", {}).values():
            yield f"{example['summary']}:"
            yield f"```json\n{json.dumps(example['value'], indent=2)}\n```"
    yield _table(
        ("status", "answer", ""),
        [
            (status, _content(answer), answer["description"])
            for status, answer in operation["responses"].items()
        ],
    )


def _content(answer: Schema) -> str:
    """What an answer holds, by media type."""
    kinds = []
    for media_type, content in answer.get("content", {}).items():
        schema = content.get("schema") or {}
        named = _type(schema) if schema else ""
        if "itemSchema" in content:
            named = _named_in(content["itemSchema"])
        kinds.append(f"`{media_type}` {named}".strip())
    return "<br>".join(kinds)


def _named_in(schema: object) -> str:
    """The schemas that one names at any depth, each once."""
    found: dict[str, None] = {}

    def look(part: object) -> None:
        if isinstance(part, Mapping):
            if isinstance(part.get("$ref"), str):
                found[_link(part["$ref"])] = None
            for child in part.values():
                look(child)
        elif isinstance(part, list):
            for child in part:
                look(child)

    look(schema)
    return " or ".join(found)


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name} {{ #{_anchor(name)} }}"
    if schema.get("description"):
        yield str(schema["description"])
    if "properties" not in schema:
        yield f"Type: {_type(schema)}."
        return
    required = set(schema.get("required", ()))
    yield _table(
        ("field", "type", "default", ""),
        [
            (
                f"`{field}`" + (" (required)" if field in required else ""),
                _type(described),
                f"`{json.dumps(described['default'])}`" if described.get("default") is not None else "",
                described.get("description", ""),
            )
            for field, described in schema["properties"].items()
        ],
    )


def _type(schema: Schema) -> str:
    """A type on one line, with links to the schemas that it names."""
    if "$ref" in schema:
        return _link(schema["$ref"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(part) for part in schema[several]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {_type(schema['additionalProperties'])}"
        case str(name):
            return name + _bounds(schema)
        case _:
            return "any"


def _bounds(schema: Schema) -> str:
    """Limits of a number or a length, as text behind the type."""
    words = {"minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}"}
    words |= {"minLength": "at least {} characters", "maxLength": "at most {} characters"}
    said = [text.format(schema[name]) for name, text in words.items() if name in schema]
    return f" ({', '.join(said)})" if said else ""


def _link(reference: str) -> str:
    name = reference.removeprefix(REFERENCE)
    return f"[{name}](#{_anchor(name)})"


def _anchor(name: str) -> str:
    return f"schema-{name.lower()}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(c.split()).replace("|", r"\|") for c in line) + " |" for line in lines
    )
