"""`logprobs` and `top_logprobs`, of the answer's tokens.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-logprobs
"""

from __future__ import annotations

from pydantic import Field, model_validator

from steiner.server.intake.request_model import RequestModel

MAX_TOP_LOGPROBS = 20


class LogprobsRequest(RequestModel):
    """Which log probabilities to report."""

    logprobs: bool | None = Field(None, description="Of each token of the answer; none of the reasoning.")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description="Likeliest tokens told at each place; needs logprobs."
    )

    @model_validator(mode="after")
    def _top_of_something(self) -> LogprobsRequest:
        if self.top_logprobs and not self.logprobs:
            raise ValueError(f"top_logprobs ({self.top_logprobs}) needs logprobs=true")
        return self

    @property
    def num_logprobs(self) -> int | None:
        """How many likeliest tokens to report with each token; None to report nothing."""
        return (self.top_logprobs or 0) if self.logprobs else None
