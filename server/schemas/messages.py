"""Messages of chat completions: roles, and content as text or as parts.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from steiner.reasoning.steps import Step
from steiner.server.schemas.content_parts import part_type, refuse_what_is_not_read, text_or_parts
from steiner.server.schemas.request_model import RequestModel
from steiner.server.tools.schemas import MessageToolCall


class TextPart(RequestModel):
    """One piece of text content."""

    type: Literal["text"]
    text: str


class RefusalPart(RequestModel):
    """What an earlier answer said instead of an answer; of assistant messages alone."""

    type: Literal["refusal"]
    refusal: str

    @property
    def text(self) -> str:
        """The same as a text part has it."""
        return self.refusal


def _part_kind(given: object) -> str | None:
    kind = part_type(given)
    return f"({kind})" if kind in ("text", "refusal") else None


ContentPart = Annotated[
    Annotated[TextPart, Tag("(text)")] | Annotated[RefusalPart, Tag("(refusal)")],
    Discriminator(
        _part_kind,
        custom_error_type="content_part",
        custom_error_message="the type must be text or, in an assistant message, refusal",
    ),
    BeforeValidator(refuse_what_is_not_read),
]


Content = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[ContentPart], Tag("(parts)")],
    Discriminator(text_or_parts),
]
"""Text, or a list of parts, whose texts are joined by line feeds."""


class Message(RequestModel):
    """One turn of the conversation.

    Of an earlier assistant turn, `content` and `refusal` enter the prompt and, if `reasoning_steps` are sent back,
    the conclusions of their live path before them. `reasoning` and `reasoning_content` are accepted, because
    clients send messages back as they got them, and left out of the prompt.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_steps: list[Step] | None = None
    refusal: str | None = None
    annotations: list[Any] | None = Field(None, max_length=0)
    audio: None = None
    function_call: None = None
    tool_calls: list[MessageToolCall] | None = None
    tool_call_id: str | None = Field(None, description="Of the call that a message of role tool answers.")

    @model_validator(mode="after")
    def _fits_role(self) -> Message:
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError(
                f"tool_call_id belongs to messages of role 'tool', which need it; the role is {self.role!r}"
            )
        if self.role == "assistant":
            return self
        if self.content is None:
            raise ValueError(f"a message of role {self.role!r} needs content")
        for field in ("reasoning", "reasoning_content", "reasoning_steps", "refusal", "tool_calls"):
            if getattr(self, field):
                raise ValueError(f"{field} belongs to assistant messages, not to role {self.role!r}")
        if any(isinstance(part, RefusalPart) for part in self.content):
            raise ValueError(f"a refusal part belongs to assistant messages, not to role {self.role!r}")
        return self

    @property
    def text(self) -> str:
        """Content as one text, and the refusal behind it."""
        match self.content:
            case None:
                texts = []
            case str(text):
                texts = [text]
            case parts:
                texts = [part.text for part in parts]
        return "\n".join([*texts, self.refusal] if self.refusal else texts)
