"""Input items of the Responses API: messages, reasoning sent back, calls of functions, their outputs, and references.

Items that this server gave out come back with what clients add to them, which is left out. Field by field they are
OpenAI's (https://platform.openai.com/docs/api-reference/responses/create), with `step` in reasoning
items, which is ours: it says what a step concluded and whether the search stands by it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from steiner.reasoning.steps import Step
from steiner.server.api.responses.tools import FunctionCallItem, FunctionCallOutputItem
from steiner.server.intake.content_parts import refuse_what_is_not_read, text_or_parts
from steiner.server.intake.request_model import RequestModel, type_of
from steiner.server.intake.sent_back import SentBack, said_parts, without_notes

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class TextContent(RequestModel):
    """Text of a message; `annotations` and `logprobs` come back as they were given out, and are left out."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class RefusalContent(RequestModel):
    """A refusal that an earlier answer gave in place of text."""

    type: Literal["refusal"]
    refusal: str


def _part_kind(given: object) -> str | None:
    return {"input_text": "(text)", "output_text": "(text)", "refusal": "(refusal)"}.get(str(type_of(given)))


ContentPart = Annotated[
    Annotated[TextContent, Tag("(text)")] | Annotated[RefusalContent, Tag("(refusal)")],
    Discriminator(
        _part_kind,
        custom_error_type="content_part",
        custom_error_message="the type must be input_text, output_text or refusal: this server reads text",
    ),
    BeforeValidator(refuse_what_is_not_read),
]


PART_FIELDS = frozenset({*TextContent.model_fields, *RefusalContent.model_fields})


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
    phase: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_notes(cls, data: Any) -> Any:
        """What is left of a message that this server gave out."""
        if not isinstance(data, dict) or data.get("role") != "assistant":
            return data
        message = without_notes(data, cls.model_fields, ["content"])
        return message | {"content": said_parts(message.get("content"), PART_FIELDS)}

    @model_validator(mode="after")
    def _assistants_refuse(self) -> MessageItem:
        parts = () if isinstance(self.content, str) else self.content
        if self.role != "assistant" and any(isinstance(part, RefusalContent) for part in parts):
            raise ValueError(f"a refusal belongs to assistant messages, not to role {self.role!r}")
        return self


class SummaryText(SentBack):
    """One part of a summary."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(SentBack):
    """One part of the text of a step."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(SentBack):
    """A step of an earlier answer; stands in front of the message or call that it led to.

    Its `step`, in plain or sealed in `encrypted_content`, decides what enters the prompt: the conclusions of the live
    path. Without one, nothing does.
    """

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[SummaryText] = Field(default_factory=list)
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = Field(
        None, description="The step as it was sealed for this caller; outranks `step`."
    )
    status: ItemStatus | None = None
    step: Step | None = None


class ItemReference(SentBack):
    """An item of a stored response of the same caller, by its id."""

    type: Literal["item_reference"] | None = None
    id: str


def _item_kind(given: object) -> str | None:
    kind = type_of(given)
    if kind is None:
        fields = given if isinstance(given, dict) else vars(given) if isinstance(given, ItemReference) else {}
        kind = "message" if "role" in fields else "item_reference" if {*fields} - {"type"} == {"id"} else None
    return f"({kind})" if kind in KINDS else None


WholeItem = MessageItem | ReasoningItem | FunctionCallItem | FunctionCallOutputItem
"""Everything but a reference."""
KINDS = ("message", "reasoning", "function_call", "function_call_output", "item_reference")

InputItem = Annotated[
    Annotated[MessageItem, Tag("(message)")]
    | Annotated[ReasoningItem, Tag("(reasoning)")]
    | Annotated[FunctionCallItem, Tag("(function_call)")]
    | Annotated[FunctionCallOutputItem, Tag("(function_call_output)")]
    | Annotated[ItemReference, Tag("(item_reference)")],
    Discriminator(
        _item_kind,
        custom_error_type="input_item",
        custom_error_message="the type must be message, reasoning, function_call, function_call_output or "
        "item_reference",
    ),
]


def _input_kind(given: object) -> str:
    return "(items)" if isinstance(given, list) else "(text)"


ResponseInput = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[InputItem], Field(min_length=1), Tag("(items)")],
    Discriminator(_input_kind),
]
"""A text, which is one message of the user, or items."""
