"""Input items of the Responses API: messages, reasoning sent back, calls of functions and their outputs.

Field by field OpenAI's (https://platform.openai.com/docs/api-reference/responses/create), with `step` in reasoning
items, which is ours: it says what a step concluded and whether the search stands by it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from steiner.reasoning.steps import Step
from steiner.server.schemas.content_parts import part_type, refuse_what_is_not_read, text_or_parts
from steiner.server.schemas.request_model import RequestModel
from steiner.server.schemas.response_tools import FunctionCallItem, FunctionCallOutputItem

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class TextContent(RequestModel):
    """Text of a message; `annotations` and `logprobs` come back as they were given out, empty."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = Field(None, max_length=0)
    logprobs: list[Any] | None = None


class RefusalContent(RequestModel):
    """A refusal that an earlier answer gave in place of text."""

    type: Literal["refusal"]
    refusal: str


def _part_kind(given: object) -> str | None:
    return {"input_text": "(text)", "output_text": "(text)", "refusal": "(refusal)"}.get(
        str(part_type(given))
    )


ContentPart = Annotated[
    Annotated[TextContent, Tag("(text)")] | Annotated[RefusalContent, Tag("(refusal)")],
    Discriminator(
        _part_kind,
        custom_error_type="content_part",
        custom_error_message="the type must be input_text, output_text or refusal: this server reads text",
    ),
    BeforeValidator(refuse_what_is_not_read),
]


class MessageItem(RequestModel):
    """One turn of the conversation; `type` may be left out. `phase` is a label of OpenAI's models, without effect."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[
        Annotated[str, Tag("(text)")] | Annotated[list[ContentPart], Tag("(parts)")],
        Discriminator(text_or_parts),
    ]
    id: str | None = None
    status: ItemStatus | None = None
    phase: Literal["commentary", "final_answer"] | None = None

    @model_validator(mode="after")
    def _assistants_refuse(self) -> MessageItem:
        parts = () if isinstance(self.content, str) else self.content
        if self.role != "assistant" and any(isinstance(part, RefusalContent) for part in parts):
            raise ValueError(f"a refusal belongs to assistant messages, not to role {self.role!r}")
        return self


class SummaryText(RequestModel):
    """One part of a summary."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(RequestModel):
    """One part of the text of a step."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(RequestModel):
    """A step of an earlier answer; stands in front of the message or call that it led to.

    Its `step` decides what enters the prompt: the conclusions of the live path. Without one, nothing does.
    """

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[SummaryText]
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None
    step: Step | None = None

    @field_validator("encrypted_content")
    @classmethod
    def _nothing_is_encrypted(cls, value: str | None) -> str | None:
        if value:
            raise ValueError("nothing is encrypted here; send reasoning items back with their step")
        return value


def _item_kind(given: object) -> str | None:
    if not isinstance(given, dict):
        kind = getattr(given, "type", None)
    else:
        kind = given.get("type", "message" if "role" in given else None)
    return f"({kind})" if kind in KINDS else None


KINDS = ("message", "reasoning", "function_call", "function_call_output")

InputItem = Annotated[
    Annotated[MessageItem, Tag("(message)")]
    | Annotated[ReasoningItem, Tag("(reasoning)")]
    | Annotated[FunctionCallItem, Tag("(function_call)")]
    | Annotated[FunctionCallOutputItem, Tag("(function_call_output)")],
    Discriminator(
        _item_kind,
        custom_error_type="input_item",
        custom_error_message="the type must be message, reasoning, function_call or function_call_output",
    ),
]


def _input_kind(given: object) -> str:
    return "(items)" if isinstance(given, list) else "(text)"


ResponseInput = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[InputItem], Field(min_length=1), Tag("(items)")],
    Discriminator(_input_kind),
]
"""A text, which is one message of the user, or items."""
