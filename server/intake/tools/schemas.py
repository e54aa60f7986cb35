"""Tools, the choice of them and calls of them, as chat completions have them.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from steiner.server.intake.request_model import RequestModel, type_of
from steiner.server.intake.sent_back import SentBack, text_of_arguments

MAX_TOOLS = 128
FunctionName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class FunctionDefinition(RequestModel):
    """A function of the caller's.

    With `strict` its schema is kept to, or refused; otherwise as much of it as can be. Without `parameters` it takes
    none.
    """

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(RequestModel):
    """A tool that is a function."""

    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(RequestModel):
    """A function, by the name that it has in `tools`."""

    name: FunctionName


class FunctionChoice(RequestModel):
    """This function and no other."""

    type: Literal["function"]
    function: NamedFunction


class AllowedTools(RequestModel):
    """Some of the tools: `auto` may call them, `required` must."""

    mode: Literal["auto", "required"]
    tools: list[FunctionChoice] = Field(min_length=1)


class AllowedToolsChoice(RequestModel):
    """All tools stay in the prompt, and only some may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


def _choice_kind(given: object) -> str | None:
    if isinstance(given, str):
        return "(mode)" if given in ("none", "auto", "required") else None
    kind = type_of(given)
    return f"({kind})" if kind in ("function", "allowed_tools") else None


CHOICE_BY_KIND = Discriminator(
    _choice_kind,
    custom_error_type="tool_choice",
    custom_error_message="it must be none, auto, required, or an object of type function or allowed_tools",
)
"""Which of the ways to choose is meant, in whatever way a dialect writes a function."""

ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("(mode)")]
    | Annotated[FunctionChoice, Tag("(function)")]
    | Annotated[AllowedToolsChoice, Tag("(allowed_tools)")],
    CHOICE_BY_KIND,
]


class CalledFunction(SentBack):
    """What an earlier turn called, as it came.

    An answer that ran out of tokens ends in half a call, and some clients write no arguments as "".
    """

    name: FunctionName
    arguments: str = Field(description="A JSON object, as text, or as much of one as came.")

    _none_came = field_validator("arguments", mode="before")(text_of_arguments)


class MessageToolCall(SentBack):
    """A call in an assistant message that is sent back."""

    id: str = Field(min_length=1)
    type: Literal["function"] | None = "function"
    function: CalledFunction
