"""Request body of chat completions and of the reasoning stream.

Field by field what OpenAI's and vLLM's are. null means the default. What is known there and not offered
here is in `not_offered`, so that it is refused for what it is and not as a spelling mistake.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from steiner.server.intake.request import GenerationRequest
from steiner.server.intake.request_model import RequestModel


class StreamOptions(RequestModel):
    """Options of a stream."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = Field(
        None, description="vLLM's: with include_usage each chunk tells the tokens of its choice so far."
    )
    include_obfuscation: bool | None = None

    @field_validator("include_obfuscation")
    @classmethod
    def _no_obfuscation(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("chunks are not obfuscated here; leave it out or send false")
        return value


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

    @field_validator("n")
    @classmethod
    def _one_tree(cls, n: int | None) -> int | None:
        if n not in (None, 1):
            raise ValueError(
                f"a step stream is of one generation (n=1), given {n}; send the request {n} times"
            )
        return n
