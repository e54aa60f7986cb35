"""Answers of POST /v1/chat/completions as they are documented: a whole one, and a chunk of a stream.

`chunks` writes plain dictionaries, which costs less. Tests check by the OpenAPI document that they fit these
models.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from steiner.reasoning.events import Event
from steiner.reasoning.steps import Step


class AnswerMessage(BaseModel):
    """OpenAI's assistant message, with the reasoning beside the answer."""

    role: Literal["assistant"]
    content: str | None = Field(description="The answer; null if the tokens ended before it.")
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    reasoning: str | None = Field(description="The reasoning as text.")
    reasoning_content: str | None = Field(description="The same under the other name in use.")
    reasoning_steps: list[Step] = Field(description="The reasoning as a tree.")


class Choice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: dict[str, Any] | None = None
    finish_reason: Literal["stop", "length", "tool_calls"]
    stop_reason: str | int | None = Field(None, description="vLLM's: the stop string or token that ended it.")


class CompletionTokensDetails(BaseModel):
    """What the completion tokens were."""

    reasoning_tokens: int
    forced_tokens: int = Field(description="Written by the server's interventions; part of the others.")


class PromptTokensDetails(BaseModel):
    """What the prompt tokens were."""

    cached_tokens: int = Field(description="Found in the engine's prefix cache.")


class CompletionUsage(BaseModel):
    """Tokens of the request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class ChatCompletion(BaseModel):
    """OpenAI's chat completion object."""

    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Unix time in seconds.")
    model: str
    choices: list[Choice]
    usage: CompletionUsage


class Delta(BaseModel):
    """What a chunk adds to the message."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    reasoning: str | None = Field(None, description="Text of the reasoning.")
    reasoning_content: str | None = Field(None, description="The same under the other name in use.")
    reasoning_step: Event | None = Field(None, description="The event, as POST /v1/reasoning sends it.")


class ChunkChoice(BaseModel):
    """One answer's part of a chunk."""

    index: int
    delta: Delta
    logprobs: dict[str, Any] | None = None
    finish_reason: Literal["stop", "length", "tool_calls"] | None = None
    stop_reason: str | int | None = Field(None, description="vLLM's: the stop string or token that ended it.")


class ChatCompletionChunk(BaseModel):
    """OpenAI's chat completion chunk object."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice] = Field(description="Empty in the chunk that has the usage.")
    usage: CompletionUsage | None = None
