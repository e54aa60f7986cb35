"""`response_format`: any text, a JSON object, or JSON that fits a schema.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-response_format
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from steiner.server.intake.request_model import RequestModel, type_of


class TextFormat(RequestModel):
    """An answer in any form."""

    type: Literal["text"]


class JsonObjectFormat(RequestModel):
    """An answer that is a JSON object."""

    type: Literal["json_object"]


class JsonSchema(RequestModel):
    """A named schema. It is always kept to, so `strict` changes nothing."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    name: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(RequestModel):
    """An answer that fits a JSON Schema; the reasoning before it is not held to it."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


def _format_kind(given: object) -> str | None:
    kind = type_of(given)
    return f"({kind})" if kind in ("text", "json_object", "json_schema") else None


FORMAT_BY_TYPE = Discriminator(
    _format_kind,
    custom_error_type="response_format",
    custom_error_message="the type must be text, json_object or json_schema",
)
"""Which of the forms of an answer is meant, in whatever way a dialect writes a schema."""

ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("(text)")]
    | Annotated[JsonObjectFormat, Tag("(json_object)")]
    | Annotated[JsonSchemaFormat, Tag("(json_schema)")],
    FORMAT_BY_TYPE,
]
