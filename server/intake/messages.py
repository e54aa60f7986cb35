"""Messages of chat completions: roles, and content as text or as parts.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from steiner.reasoning.steps import Step
from steiner.server.intake.content_parts import refuse_what_is_not_read, text_or_parts
from steiner.server.intake.request_model import RequestModel, type_of
from steiner.server.intake.sent_back import said_parts, without_notes
from steiner.server.intake.tools.schemas import MessageToolCall


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
    kind = type_of(given)
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


PART_FIELDS = frozenset({*TextPart.model_fields, *RefusalPart.model_fields})
SENT_BACK: dict[str, tuple[str, ...]] = {
    "assistant": ("content", "refusal", "tool_calls"),
    "tool": ("content", "tool_call_id"),
}
"""Roles of the messages that a client sends back, or makes of what it got, with the fields that matter in them."""


class Message(RequestModel):
    """One turn of the conversation.

    Of an earlier assistant turn, `content` and `refusal` enter the prompt and, if `reasoning_steps` are sent back,
    the conclusions of their live path before them. Clients send messages back as they got them and with notes of
    their own: in messages of roles assistant and tool, fields that say nothing to the model are accepted and left out.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_steps: list[Step] | None = None
    refusal: str | None = None
    audio: None = None
    function_call: None = None
    tool_calls: list[MessageToolCall] | None = None
    tool_call_id: str | None = Field(None, description="Of the call that a message of role tool answers.")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_notes(cls, data: Any) -> Any:
        """What is left of a message that this server gave out, or of a tool's answer to it."""
        role = data.get("role") if isinstance(data, dict) else None
        if not isinstance(role, str) or role not in SENT_BACK:
            return data
        message = without_notes(data, cls.model_fields, SENT_BACK[role])
        if "content" in message:
            message["content"] = said_parts(message["content"], PART_FIELDS)
        if message.get("reasoning_steps") is None:
            message["reasoning_steps"] = _steps_in_litellm(data)
        return message

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
        """Content as one text, followed by the refusal."""
        match self.content:
            case None:
                texts = []
            case str(text):
                texts = [text]
            case parts:
                texts = [part.text for part in parts]
        return "\n".join([*texts, self.refusal] if self.refusal else texts)


def _steps_in_litellm(message: dict[str, Any]) -> Any:
    """`reasoning_steps` from the place where LiteLLM keeps fields that are not OpenAI's."""
    fields = message.get("provider_specific_fields")
    return fields.get("reasoning_steps") if isinstance(fields, dict) else None
