"""Tools and calls of the Responses API, where fields are flat that chat completions nest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from steiner.server.intake.content_parts import refuse_what_is_not_read, text_or_parts
from steiner.server.intake.request_model import RequestModel
from steiner.server.intake.sent_back import SentBack, text_of_arguments
from steiner.server.intake.tools.schemas import (
    CHOICE_BY_KIND,
    AllowedTools,
    AllowedToolsChoice,
    FunctionChoice,
    FunctionDefinition,
    FunctionName,
    FunctionTool,
    NamedFunction,
    ToolChoice,
)

CallId = Annotated[str, Field(min_length=1, max_length=64)]


class ResponseFunctionTool(RequestModel):
    """A function of the caller's. Its schema is always kept to, so `strict` changes nothing."""

    type: Literal["function"]
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def as_chat(self) -> FunctionTool:
        """The same as chat completions have it."""
        return FunctionTool(type="function", function=FunctionDefinition(**self.model_dump(exclude={"type"})))


class ResponseFunctionChoice(RequestModel):
    """This function and no other."""

    type: Literal["function"]
    name: FunctionName

    @property
    def as_chat(self) -> FunctionChoice:
        """The same as chat completions have it."""
        return FunctionChoice(type="function", function=NamedFunction(name=self.name))


class ResponseAllowedTools(RequestModel):
    """All tools stay in the prompt, and only some may be called."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[ResponseFunctionChoice] = Field(min_length=1)

    @property
    def as_chat(self) -> AllowedToolsChoice:
        """The same as chat completions have it."""
        allowed = AllowedTools(mode=self.mode, tools=[tool.as_chat for tool in self.tools])
        return AllowedToolsChoice(type="allowed_tools", allowed_tools=allowed)


ResponseToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("(mode)")]
    | Annotated[ResponseFunctionChoice, Tag("(function)")]
    | Annotated[ResponseAllowedTools, Tag("(allowed_tools)")],
    CHOICE_BY_KIND,
]


def chat_choice(choice: ResponseToolChoice | None) -> ToolChoice | None:
    """The same as chat completions have it."""
    return choice if choice is None or isinstance(choice, str) else choice.as_chat


def flat_name(param: str) -> str:
    """The name here of a field of tools or of tool_choice, given its name in chat completions."""
    if not param.startswith("tool"):
        return param
    return param.replace(".function", "").replace(".allowed_tools", "")


class FunctionCallItem(SentBack):
    """A call that an earlier response made, as it came."""

    type: Literal["function_call"]
    id: str | None = None
    call_id: CallId
    name: FunctionName
    arguments: str = Field(description="A JSON object, as text, or as much of one as came.")
    status: Literal["in_progress", "completed", "incomplete"] | None = None

    _none_came = field_validator("arguments", mode="before")(text_of_arguments)


class OutputText(SentBack):
    """One piece of text of an output."""

    type: Literal["input_text", "output_text"]
    text: str


OutputPart = Annotated[OutputText, BeforeValidator(refuse_what_is_not_read)]


class FunctionCallOutputItem(SentBack):
    """What a call came to."""

    type: Literal["function_call_output"]
    id: str | None = None
    call_id: CallId
    output: Annotated[
        Annotated[str, Tag("(text)")] | Annotated[list[OutputPart], Tag("(parts)")],
        Discriminator(text_or_parts),
    ]
    status: Literal["in_progress", "completed", "incomplete"] | None = None
