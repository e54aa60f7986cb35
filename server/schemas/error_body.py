"""The body of every answer with an error status."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ErrorDetail(BaseModel):
    """What was wrong, for a person and for a program."""

    message: str = Field(description="What was given, what the limit is, and what to do.")
    type: Literal["invalid_request_error", "server_error"] | str
    param: str | None = Field(description="Path of the field, such as `messages.0.content`.")
    code: str | None = Field(description="One of a fixed few words, such as `context_length_exceeded`.")


class ErrorBody(BaseModel):
    """OpenAI's error shape (https://platform.openai.com/docs/guides/error-codes)."""

    error: ErrorDetail
