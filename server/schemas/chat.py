"""Request body of chat completions and of the reasoning stream.

Field by field what OpenAI's and vLLM's are. null means the default. What is known there and not offered
here is listed with the reason, so that it is refused for what it is and not as a spelling mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from steiner.reasoning.policy import ReasoningEffort, ReasoningOptions
from steiner.reasoning.steps import Step

INT64 = 2**63
INT32 = 2**31


class RequestModel(BaseModel):
    """Base of every request object: nothing unknown, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TextPart(RequestModel):
    """One piece of text content."""

    type: Literal["text"]
    text: str


def _content_kind(content: object) -> str:
    return "(parts)" if isinstance(content, list) else "(text)"


Content = Annotated[
    Annotated[str, Tag("(text)")] | Annotated[list[TextPart], Tag("(parts)")], Discriminator(_content_kind)
]
"""Text, or a list of text parts, which are joined by line feeds."""


class Message(RequestModel):
    """One turn of the conversation.

    Of an earlier assistant turn, `content` enters the prompt and, if `reasoning_steps` are sent back, the
    conclusions of their live path before it. `reasoning` and `reasoning_content` are accepted, because
    clients send messages back as they got them, and left out of the prompt.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = None
    name: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_steps: list[Step] | None = None
    refusal: str | None = None
    annotations: list[Any] | None = Field(None, max_length=0)
    audio: None = None
    function_call: None = None
    tool_calls: list[Any] | None = Field(None, max_length=0)

    @model_validator(mode="after")
    def _fits_role(self) -> Message:
        if self.role == "assistant":
            return self
        if self.content is None:
            raise ValueError(f"a message of role {self.role!r} needs content")
        for field in ("reasoning", "reasoning_content", "reasoning_steps", "refusal"):
            if getattr(self, field) is not None:
                raise ValueError(f"{field} belongs to assistant messages, not to role {self.role!r}")
        return self

    @property
    def text(self) -> str:
        """Content as one text."""
        match self.content:
            case None:
                return ""
            case str(text):
                return text
            case parts:
                return "\n".join(part.text for part in parts)


class StreamOptions(RequestModel):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None

    @field_validator("include_obfuscation")
    @classmethod
    def _no_obfuscation(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("chunks are not obfuscated here; leave it out or send false")
        return value


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
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    return f"({kind})" if kind in ("text", "json_object", "json_schema") else None


ResponseFormat = Annotated[
    Annotated[TextFormat, Tag("(text)")]
    | Annotated[JsonObjectFormat, Tag("(json_object)")]
    | Annotated[JsonSchemaFormat, Tag("(json_schema)")],
    Discriminator(
        _format_kind,
        custom_error_type="response_format",
        custom_error_message="the type must be text, json_object or json_schema",
    ),
]

NOT_OFFERED: dict[str, str] = {
    "audio": "this server answers with text",
    "function_call": "functions are not offered",
    "functions": "functions are not offered",
    "logit_bias": "biases on token ids are not offered",
    "modalities": "this server answers with text",
    "prediction": "predicted outputs are not offered",
    "stop": "stop strings are not offered; the answer ends with the model's end of turn, or max_completion_tokens",
    "thinking_token_budget": "send reasoning.max_reasoning_tokens instead",
    "tool_choice": "tools are not offered",
    "tools": "tools are not offered",
    "top_logprobs": "log probabilities are not offered",
    "web_search_options": "web search is not offered",
}
"""Known to OpenAI's clients, but not offered: refused by name unless null or empty."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """What a dialect calls the fields that a refusal behind the schema may name."""

    messages: str = "messages"
    length: str = "max_completion_tokens"
    schema: str = "response_format.json_schema.schema"


class SamplingRequest(RequestModel):
    """How to sample: OpenAI's parameters and vLLM's."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, lt=INT32, description="0 and -1: every token.")
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=100)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=-INT64, lt=INT64)


class GenerationRequest(SamplingRequest):
    """What every route takes or makes of what it takes: the conversation, how to sample, and how to reason."""

    field_names: ClassVar[FieldNames] = FieldNames()

    model: str | None = Field(None, description="Model name as in /v1/models; default: the served model.")
    messages: list[Message] = Field(min_length=1)

    max_completion_tokens: int | None = Field(
        None,
        ge=1,
        description="Reasoning and answer together; to limit reasoning alone: reasoning.max_reasoning_tokens.",
    )
    max_tokens: int | None = Field(None, ge=1, description="Older name of max_completion_tokens.")

    reasoning_effort: ReasoningEffort | None = None
    reasoning: ReasoningOptions | None = Field(None, description="Limits and rules of reasoning.")
    response_format: ResponseFormat | None = Field(None, description="Of the answer alone.")

    n: int | None = None
    logprobs: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: bool | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_offered(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, reason in NOT_OFFERED.items():
                if data.get(name) not in (None, [], {}):
                    raise PydanticCustomError(
                        "not_offered", "{param}: {reason}", {"param": name, "reason": reason}
                    )
            return {name: value for name, value in data.items() if name not in NOT_OFFERED}
        return data

    @field_validator("n")
    @classmethod
    def _one_choice(cls, n: int | None) -> int | None:
        if n not in (None, 1):
            raise ValueError(f"one choice a request (n=1), given {n}; send the request {n} times instead")
        return n

    @field_validator("logprobs")
    @classmethod
    def _no_logprobs(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("log probabilities are not offered; leave it out or send false")
        return value

    @field_validator("store")
    @classmethod
    def _not_stored(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("completions are not stored; leave it out or send false")
        return value

    @model_validator(mode="after")
    def _one_length_limit(self) -> GenerationRequest:
        old, new = self.max_tokens, self.max_completion_tokens
        if old is not None and new is not None and old != new:
            raise ValueError(f"max_tokens ({old}) and max_completion_tokens ({new}) differ; send one of them")
        return self

    @property
    def length_limit(self) -> int | None:
        """Tokens of reasoning and answer at most, if the request says."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


class ChatRequest(GenerationRequest):
    """Body of POST /v1/chat/completions."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _stream_options_need_a_stream(self) -> ChatRequest:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options need stream=true")
        return self


class ReasoningRequest(GenerationRequest):
    """Body of POST /v1/reasoning; always a stream."""

    stream: Literal[True] | None = None


FIELD_NAMES = frozenset(
    name
    for model in (ChatRequest, ReasoningRequest, Message, TextPart, StreamOptions, ReasoningOptions)
    for name in model.model_fields
)
"""Every field that a body may have somewhere."""
