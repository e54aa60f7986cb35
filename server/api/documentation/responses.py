"""What the OpenAPI document says about answers: the errors of each route, streams, and named schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from steiner.reasoning.events import EVENT_ADAPTER
from steiner.reasoning.schemas import WrittenSchema
from steiner.server.api.chat.completion import ChatCompletionChunk

Responses = dict[int | str, dict[str, Any]]

COMPONENT = "#/components/schemas/{model}"
FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")

STATUSES = {
    400: "Refused; `param` names the field, the message what is allowed.",
    401: "No key, or none of this server's.",
    404: "Nothing of this name, or not for this key.",
    410: "It was here and is gone.",
    413: "The body is longer than this server reads.",
    415: "The body is compressed; send it plain.",
    429: "The limits of this key are used up, or the queue is full; `Retry-After` says when to come back.",
    500: "The server failed; its log says how.",
    503: "Loading, draining or failed; send the request again later, or elsewhere.",
}

#: What a route that starts a generation may answer.
OF_A_GENERATION = (400, 401, 404, 413, 415, 429, 500, 503)
#: What a route that looks something up may answer.
OF_A_LOOK_UP = (400, 401, 404, 410, 500, 503)


class ErrorDetail(BaseModel):
    """What was wrong, for a person and for a program."""

    message: str = Field(description="What was given, what the limit is, and what to do.")
    type: Literal["invalid_request_error", "server_error"] | str
    param: str | None = Field(description="Path of the field, such as `messages.0.content`.")
    code: str | None = Field(description="One of a fixed few words, such as `context_length_exceeded`.")


class ErrorBody(BaseModel):
    """OpenAI's error shape (https://platform.openai.com/docs/guides/error-codes)."""

    error: ErrorDetail


def refusals(*statuses: int) -> Responses:
    """Answers with these error statuses, all in OpenAI's shape."""
    schema = component(ErrorBody.__name__)
    # Spelled out instead of as a model, which FastAPI would file under a stream's media type.
    return {
        status: {"description": STATUSES[status], "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


def component(name: str) -> dict[str, str]:
    """Reference to a named schema."""
    return {"$ref": COMPONENT.format(model=name)}


def event_stream(item: dict[str, Any], example: str) -> dict[str, Any]:
    """Content of an answer that is a stream of server-sent events, as OpenAPI 3.2 describes it.

    Args:
        item: schema of one event, an object of `event`, `id` and `data`.
        example: some of the stream.
    """
    return {"text/event-stream": {"itemSchema": {"type": "object"} | item, "example": example}}


def json_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Schema of a text that is JSON of this schema."""
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


STEP_EVENTS = """id: 1
event: reasoning.started
data: {"type":"reasoning.started","sequence_number":1,"id":"rsn_5f0c","model":"steiner-tiny","protocol":"steiner"}

id: 2
event: step.started
data: {"type":"step.started","sequence_number":2,"step":1,"depth":1,"parent":0}

"""
STEP_STREAM = event_stream(
    {
        "description": "Named by its type, numbered without a gap. `usage`, and then exactly one of `done`, `error` "
        "and `cancelled`, end the stream.",
        "required": ["event", "id", "data"],
        "properties": {
            "event": {"type": "string"},
            "id": {"type": "string", "pattern": "^[1-9][0-9]*$"},
            "data": json_text(component("Event")),
        },
    },
    STEP_EVENTS,
)

CHUNK_STREAM = event_stream(
    {
        "description": "OpenAI's chunks; `[DONE]` ends the stream. A failure after the first chunk is an error body.",
        "required": ["data"],
        "properties": {
            "data": {
                "anyOf": [
                    {"const": "[DONE]"},
                    json_text(component("ChatCompletionChunk")),
                    json_text(component("ErrorBody")),
                ]
            },
        },
    },
    'data: {"id":"chatcmpl-5f0c","object":"chat.completion.chunk","created":1764000000,"model":"steiner-tiny",'
    '"choices":[{"index":0,"delta":{"content":"22"},"logprobs":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n',
)

RESPONSE_STREAM = event_stream(
    {
        "description": "OpenAI's events, numbered from 0. One of `response.completed`, `response.incomplete` and "
        "`response.failed` ends the stream.",
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string"},
            "data": json_text(
                {
                    "type": "object",
                    "required": ["type", "sequence_number"],
                    "properties": {
                        "type": {"type": "string"},
                        "sequence_number": {"type": "integer", "minimum": 0},
                    },
                }
            ),
        },
    },
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":71,'
    '"item_id":"msg_5f0c","output_index":3,"content_index":0,"delta":"22","logprobs":[]}\n\n',
)


def install_document(app: FastAPI) -> None:
    """Make the app's OpenAPI document say what FastAPI does not: named schemas, and no answer 422."""
    made_by_fastapi: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = made_by_fastapi()
            schemas = {k: v for k, v in made["components"]["schemas"].items() if k not in FASTAPIS_OWN}
            made["components"]["schemas"] = _named_schemas() | schemas
            for operations in made["paths"].values():
                for operation in operations.values():
                    _correct(operation["responses"])
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _correct(responses: dict[str, Any]) -> None:
    # Errors of validation are answered with 400 (errors.py).
    responses.pop("422", None)
    for response in responses.values():
        stream = response.get("content", {}).get("text/event-stream", {})
        if "itemSchema" in stream:
            # FastAPI itself only says of a stream that it is text.
            stream.pop("schema", None)


def _named_schemas() -> dict[str, Any]:
    """Schemas that no route's signature mentions: errors, and what is inside streams."""
    _, models = models_json_schema(
        [(ErrorBody, "serialization"), (ChatCompletionChunk, "serialization")], ref_template=COMPONENT
    )
    events: dict[str, Any] = EVENT_ADAPTER.json_schema(
        mode="serialization", ref_template=COMPONENT, schema_generator=WrittenSchema
    )
    named: dict[str, Any] = models["$defs"] | events.pop("$defs")
    return named | {"Event": events}
