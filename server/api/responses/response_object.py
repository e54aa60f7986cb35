"""Answers of the Responses API as they are documented.

`body` writes plain dictionaries, which costs less. Tests check that they fit these models by the OpenAPI document, and
that they are OpenAI's by the types of its client.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from steiner.reasoning.events import EndedBy, Intervention


class InputTokensDetails(BaseModel):
    """What the input tokens were; what is written to the cache is not counted."""

    cached_tokens: int = Field(description="Found in the engine's prefix cache.")
    cache_write_tokens: Literal[0]


class OutputTokensDetails(BaseModel):
    """What the output tokens were."""

    reasoning_tokens: int
    forced_tokens: int = Field(description="Written by the server's interventions; part of the others.")


class ResponseUsage(BaseModel):
    """Tokens of the response; its input is the whole prompt, earlier responses included."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseTrace(BaseModel):
    """What a trace says beside its steps, which are in the items."""

    protocol: str
    ended_by: EndedBy | None
    num_violations: int
    interventions: list[Intervention]


class ResponseObject(BaseModel):
    """OpenAI's response object. `reasoning` has the policy that holds, too; `trace` is ours."""

    id: str
    object: Literal["response"]
    created_at: int = Field(description="Unix time in seconds.")
    completed_at: int | None = Field(description="The same, of its end; null unless it is completed.")
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    output: list[dict[str, Any]] = Field(
        description="A reasoning item for each step, refuted ones included, and then the message."
    )
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    usage: ResponseUsage | None
    trace: ResponseTrace
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: dict[str, Any]
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled"]


class DeletedResponse(BaseModel):
    """A response that is gone."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputItemList(BaseModel):
    """A page of items; ids are null where it is empty."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool
