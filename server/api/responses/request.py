"""Request body of the Responses API.

Field by field what OpenAI's and vLLM's are. null means the default. What is known there and not offered here is in
`not_offered`, so that it is refused for what it is and not as a spelling mistake.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from steiner.reasoning.options import ReasoningOptions
from steiner.server.api.responses.items import ResponseInput
from steiner.server.api.responses.not_offered import (
    OUTPUT_LOGPROBS,
    RESPONSES_NOT_OFFERED,
    SEALED_REASONING,
    refuse_to_include,
)
from steiner.server.api.responses.tools import ResponseFunctionTool, ResponseToolChoice
from steiner.server.intake.logprobs import MAX_TOP_LOGPROBS
from steiner.server.intake.not_offered import without_what_is_not_offered
from steiner.server.intake.request import (
    EffortParam,
    FieldNames,
    GenerationRequest,
    LogitBias,
    Metadata,
    SamplingRequest,
)
from steiner.server.intake.request_model import RequestModel
from steiner.server.intake.response_format import FORMAT_BY_TYPE, JsonObjectFormat, TextFormat
from steiner.server.intake.stop import StopRequest


def refuse_unstorable(body: Any) -> None:
    """Raises PydanticCustomError, which names the field, unless the body is JSON of valid Unicode."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        path, reason = None, "the body is nested too deep"
    except ValueError:
        path, reason = _first_fault(body) or (None, "the body is not JSON")
    else:
        return
    named = f"{path}: " if path else ""
    context = {"named": named, "param": path, "reason": reason}
    raise PydanticCustomError("not_offered", "{named}{reason}", context)


def _first_fault(value: object) -> tuple[str | None, str] | None:
    """Path and reason of the first text or number that cannot be stored; None if all can."""
    match value:
        case str():
            if _is_unicode(value):
                return None
            return None, "it has half a character, which is no valid unicode; send both halves or neither"
        case float():
            return None if math.isfinite(value) else (None, "it is not a finite number")
        case dict():
            children = list(value.items())
        case list():
            children = list(enumerate(value))
        case _:
            return None
    for name, child in children:
        fault = _first_fault(name) or _first_fault(child)
        if fault is not None:
            path, reason = fault
            # A name that is not valid Unicode cannot be shown.
            own = str(name) if _is_unicode(str(name)) else None
            return ".".join(part for part in (own, path) if part) or None, reason
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class ResponseReasoning(ReasoningOptions):
    """OpenAI's `reasoning`, and beside it the limits and rules that chat completions have under the same name.

    A step's summary is one of its sections and always given: `auto` and `detailed` change nothing.
    """

    effort: EffortParam | None = Field(None, description="xhigh and max are taken as high.")
    summary: Literal["auto", "detailed"] | None = None
    generate_summary: Literal["auto", "detailed"] | None = Field(None, description="Older name of summary.")
    context: Literal["auto"] | None = Field(
        None, description="Of earlier turns the conclusions are kept, always."
    )
    mode: Literal["standard"] | None = None

    @model_validator(mode="after")
    def _one_summary(self) -> ResponseReasoning:
        old, new = self.generate_summary, self.summary
        if old is not None and new is not None and old != new:
            raise ValueError(f"generate_summary ({old}) and summary ({new}) differ; send summary alone")
        return self

    @property
    def options(self) -> ReasoningOptions:
        """The limits and rules alone."""
        return ReasoningOptions(**{name: getattr(self, name) for name in ReasoningOptions.model_fields})


class ResponseJsonSchema(RequestModel):
    """An answer that fits a JSON Schema. It is always kept to, so `strict` changes nothing."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    type: Literal["json_schema"]
    name: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    json_schema: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


AnswerFormatParam = Annotated[
    Annotated[TextFormat, Tag("(text)")]
    | Annotated[JsonObjectFormat, Tag("(json_object)")]
    | Annotated[ResponseJsonSchema, Tag("(json_schema)")],
    FORMAT_BY_TYPE,
]


class ResponseText(RequestModel):
    """What the answer is held to; the reasoning before it is not."""

    format: AnswerFormatParam | None = None
    verbosity: Literal["medium"] | None = Field(None, description="The model's own; it cannot be turned.")


class ResponseStreamOptions(RequestModel):
    """Options of a stream."""

    include_obfuscation: Literal[False] | None = Field(None, description="Events are not obfuscated.")


class ResponseRequest(SamplingRequest, StopRequest):
    """Body of POST /v1/responses."""

    input: ResponseInput
    model: str | None = Field(None, description="Model name as in /v1/models; default: the served model.")
    instructions: str | None = Field(
        None, description="System message in front of everything; not inherited over previous_response_id."
    )
    previous_response_id: str | None = None

    max_output_tokens: int | None = Field(
        None,
        ge=1,
        description="Reasoning and answer together; to limit reasoning alone: reasoning.max_reasoning_tokens.",
    )
    reasoning: ResponseReasoning | None = None
    text: ResponseText | None = None

    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    background: bool | None = Field(None, description="Goes on without readers; needs store.")
    store: bool | None = Field(None, description="Whether it can be read by its id; default: true.")
    metadata: Metadata | None = Field(None, description="Up to 16 pairs, given back with the response.")

    logit_bias: LogitBias | None = Field(None, description="vLLM's: of token ids in the answer, -100 to 100.")
    include: list[str] | None = Field(
        None,
        description=f"{OUTPUT_LOGPROBS}: log probabilities of the answer's tokens; {SEALED_REASONING}: each step "
        "sealed, to be sent back where nothing is stored.",
    )
    top_logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Likeliest tokens told at each place; needs log probabilities to be included.",
    )
    truncation: Literal["disabled"] | None = Field(None, description="An input that does not fit is refused.")
    tools: list[ResponseFunctionTool] | None = Field(None, description="Functions that the answer may call.")
    tool_choice: ResponseToolChoice | None = Field(None, description="Default: auto.")
    parallel_tool_calls: bool | None = Field(None, description="Whether one answer may have several calls.")
    service_tier: Literal["auto", "default"] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_cannot_be(cls, data: Any) -> Any:
        if isinstance(data, dict):
            refuse_unstorable(data)
        return without_what_is_not_offered(data, RESPONSES_NOT_OFFERED)

    _what_can_be_included = field_validator("include")(refuse_to_include)

    @model_validator(mode="after")
    def _options_have_an_effect(self) -> ResponseRequest:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options need stream=true")
        if self.top_logprobs and not self.includes_logprobs:
            raise ValueError(f"top_logprobs ({self.top_logprobs}) needs include=['{OUTPUT_LOGPROBS}']")
        if self.background and self.store is False:
            raise ValueError(
                "a background response can only be read by its id, so it must be stored; leave store out "
                "or send true"
            )
        return self

    @property
    def includes_logprobs(self) -> bool:
        """Whether log probabilities of the answer's tokens are told."""
        return OUTPUT_LOGPROBS in (self.include or ())

    @property
    def seals_reasoning(self) -> bool:
        """Whether reasoning items have their step sealed, too."""
        return SEALED_REASONING in (self.include or ())

    @property
    def stored(self) -> bool:
        """Whether it can be read by its id."""
        return self.store is not False


class ResponseGeneration(GenerationRequest):
    """A body of the Responses API in common terms. Refusals still use that API's names."""

    field_names: ClassVar[FieldNames] = FieldNames(
        messages="input", length="max_output_tokens", schema="text.format.schema"
    )
