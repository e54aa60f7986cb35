"""Answers of GET /v1/models."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ModelCard(BaseModel):
    """OpenAI's model object, with what a client of a reasoning model wants to know."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time in seconds.")
    owned_by: str = "steiner"
    max_model_len: int | None = Field(description="Prompt and completion in tokens; null while loading.")
    reasoning_protocol: str | None = Field(description="As in docs/protocols.md; null while loading.")


class ModelList(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
