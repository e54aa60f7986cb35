"""Query parameters of the Responses API. OpenAI's client writes lists as `include[]=a`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from steiner.server.api.responses.not_offered import OUTPUT_LOGPROBS, SEALED_REASONING, refuse_to_include
from steiner.server.intake.request_model import RequestModel


class IncludeQuery(RequestModel):
    """Lists of what to include, in both ways of writing them."""

    include: list[str] | None = Field(
        None,
        description=f"{OUTPUT_LOGPROBS}, of a response that was created with it: those are never left out; "
        f"{SEALED_REASONING}: the steps sealed.",
    )
    include_list: list[str] | None = Field(
        None, alias="include[]", description="The same, as OpenAI's client writes it."
    )

    _what_can_be_included = field_validator("include", "include_list")(refuse_to_include)

    @property
    def included(self) -> list[str]:
        """What to include, however it was written."""
        return [*(self.include or ()), *(self.include_list or ())]

    @property
    def includes_logprobs(self) -> bool:
        """Whether log probabilities are asked for."""
        return OUTPUT_LOGPROBS in self.included

    @property
    def seals_reasoning(self) -> bool:
        """Whether sealed steps are asked for."""
        return SEALED_REASONING in self.included


class RetrieveQuery(IncludeQuery):
    """Of GET /v1/responses/{id}."""

    stream: bool = Field(False, description="The events instead of the response.")
    starting_after: int | None = Field(
        None, ge=0, lt=2**63, description="With stream: number of the last event that is known."
    )
    include_obfuscation: Literal["false"] | None = Field(None, description="Events are not obfuscated.")

    @model_validator(mode="after")
    def _a_place_in_a_stream(self) -> RetrieveQuery:
        if self.starting_after is not None and not self.stream:
            raise ValueError("starting_after needs stream=true")
        return self


class InputItemsQuery(IncludeQuery):
    """Of GET /v1/responses/{id}/input_items."""

    after: str | None = Field(None, description="Id of the last item that is known.")
    limit: int = Field(20, ge=1, le=100, description="Items of a page.")
    order: Literal["asc", "desc"] = Field("desc", description="desc: the newest first.")

    @model_validator(mode="after")
    def _items_have_no_logprobs(self) -> InputItemsQuery:
        if self.includes_logprobs:
            raise ValueError(f"{OUTPUT_LOGPROBS} cannot be included: items are kept without")
        return self
