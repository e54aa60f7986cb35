"""What the requests of all dialects have: the conversation, how to sample, and how to reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import ReasoningEffort
from steiner.server.intake.logprobs import LogprobsRequest
from steiner.server.intake.messages import Message
from steiner.server.intake.not_offered import without_what_is_not_offered
from steiner.server.intake.request_model import RequestModel
from steiner.server.intake.response_format import ResponseFormat
from steiner.server.intake.stop import StopRequest
from steiner.server.intake.tools.schemas import FunctionTool, ToolChoice

INT64 = 2**63
INT32 = 2**31

MAX_BIASED = 512

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
LogitBias = Annotated[
    dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=MAX_BIASED),
]


def _known_effort(effort: object) -> object:
    return "high" if effort in ("xhigh", "max") else effort


EffortParam = Annotated[
    ReasoningEffort,
    BeforeValidator(_known_effort, json_schema_input_type=ReasoningEffort | Literal["xhigh", "max"]),
]
"""An effort. The largest ones of newer clients mean the largest one here."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """A dialect's names for the fields that a refusal after validation may name."""

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


class GenerationRequest(SamplingRequest, StopRequest, LogprobsRequest):
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

    reasoning_effort: EffortParam | None = Field(None, description="xhigh and max are taken as high.")
    reasoning: ReasoningOptions | None = Field(None, description="Limits and rules of reasoning.")
    response_format: ResponseFormat | None = Field(None, description="Of the answer alone.")
    tools: list[FunctionTool] | None = Field(None, description="Functions that the answer may call.")
    tool_choice: ToolChoice | None = Field(None, description="Default: auto.")
    parallel_tool_calls: bool | None = Field(None, description="Whether one answer may have several calls.")

    n: int | None = Field(None, ge=1, description="Answers, each with a reasoning of its own.")
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: Metadata | None = Field(None, description="Up to 16 pairs; of no effect here.")
    logit_bias: LogitBias | None = Field(
        None, description="Of token ids in the answer, -100 to 100; the reasoning is sampled without."
    )
    service_tier: Literal["auto", "default"] | None = None
    store: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_offered(cls, data: Any) -> Any:
        return without_what_is_not_offered(data)

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
        """The most tokens of reasoning and answer, if the request sets a limit."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
