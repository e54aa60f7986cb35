"""JSON Schemas of events and traces, for readers in other languages (JSON Schema 2020-12).

    python -m steiner.reasoning.schemas docs/schemas

writes them. They are made from the types, and describe what a server writes, so every field is there.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from steiner.reasoning.events import EVENT_ADAPTER
from steiner.reasoning.trace import Trace

Field = core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ATTRIBUTES = re.compile(r"^Attributes:\n((?:    .*\n?|\n)+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


class WrittenSchema(GenerateJsonSchema):
    """What is written: every field, described as in the section `Attributes` of its class's docstring."""

    def field_is_required(self, field: Field, total: bool) -> bool:
        """Required, because defaults are written as well."""
        return True

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No titles, because they would repeat the names."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Schema of one model, its docstring split between the model and its fields."""
        made = super().model_schema(schema)
        described, fields = _split(made.get("description", ""))
        if described:
            made["description"] = described
        for name, text in fields.items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", text)
        return made


def event_schema() -> dict[str, Any]:
    """Schema of one event: the data of one message of the stream, or one line of a JSON Lines file."""
    schema = EVENT_ADAPTER.json_schema(mode="serialization", schema_generator=WrittenSchema)
    description = (
        "One event of the stream of POST /v1/reasoning. `type` says which one; sequence numbers begin at 1 and have "
        "no gaps."
    )
    return _published("events", "Event", description, schema)


def trace_schema() -> dict[str, Any]:
    """Schema of a trace: the answer of GET /v1/reasoning/{id}, or a file of `steiner ask --save`."""
    schema = TypeAdapter(Trace).json_schema(mode="serialization", schema_generator=WrittenSchema)
    return _published("trace", "Trace", "", schema)


def schema_files() -> dict[str, str]:
    """Every published schema as text, by file name."""
    schemas = {"events.json": event_schema(), "trace.json": trace_schema()}
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def write_schemas(folder: Path) -> None:
    """Write every schema.

    Raises:
        OSError: the folder cannot be made, or a file in it not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schema_files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _published(name: str, title: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its identification first; `description` is used if it has none of its own."""
    head = {"$schema": DIALECT, "$id": f"urn:steiner:schema:{name}", "title": title}
    return head | ({"description": description} if description else {}) | schema


def _split(docstring: str) -> tuple[str, dict[str, str]]:
    """What a docstring says about its class and about each attribute, with lines joined."""
    found = ATTRIBUTES.search(docstring)
    if found is None:
        return docstring, {}
    fields = {name: " ".join(text.split()) for name, text in ATTRIBUTE.findall(found.group(1))}
    around = docstring[: found.start()].strip() + "\n\n" + docstring[found.end() :].strip()
    return around.strip(), fields


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m steiner.reasoning.schemas FOLDER")
    write_schemas(Path(sys.argv[1]))
