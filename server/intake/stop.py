"""`stop` and vLLM's additions to it: they end the answer, and never the reasoning.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from steiner.server.intake.request_model import RequestModel

MAX_STOP_STRINGS = 4
MAX_STOP_CHARACTERS = 1024
MAX_STOP_TOKENS = 128


def _listed(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop


StopStringList = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]],
    Field(max_length=MAX_STOP_STRINGS),
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]


class StopRequest(RequestModel):
    """What ends the answer beside the end of the turn."""

    stop: StopStringList | None = Field(
        None, description="Text at which the answer ends; it is not part of it."
    )
    stop_token_ids: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, max_length=MAX_STOP_TOKENS, description="vLLM's: tokens at which the answer ends."
    )
    include_stop_str_in_output: bool | None = Field(
        None, description="vLLM's: what ended the answer is part of it."
    )

    @model_validator(mode="after")
    def _something_to_include(self) -> StopRequest:
        if self.include_stop_str_in_output and not (self.stop or self.stop_token_ids):
            raise ValueError("include_stop_str_in_output has no effect without stop or stop_token_ids")
        return self
