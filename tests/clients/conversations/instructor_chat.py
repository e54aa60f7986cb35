"""instructor: typed answers; the variant is its mode. What its validator refuses goes back with the reason."""

from typing import Any

import instructor
from asked import QUESTIONS, Asked, Told, hold_all
from openai import OpenAI
from pydantic import BaseModel, field_validator


class Place(BaseModel):
    """Where somebody asks about."""

    city: str

    @field_validator("city")
    @classmethod
    def _is_no_capital(cls, city: str) -> str:
        if city == "Oslo":
            raise ValueError("not the capital")
        return city


def hold(ask: Asked, told: Told) -> None:
    """One conversation."""
    plain = OpenAI(base_url=ask.url, api_key="none", max_retries=0)
    client = instructor.from_openai(plain, mode=instructor.Mode[ask.variant])
    messages: list[Any] = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        asked: dict[str, Any] = {"model": ask.model, "messages": messages, "response_model": Place}
        if ask.stream:
            place: Any = None
            for partial in client.chat.completions.create_partial(**asked):
                place = partial
        else:
            place = client.chat.completions.create(max_retries=2, **asked)
        told.calls.append(place.model_dump())
        told.texts.append(place.city)
        messages.append({"role": "assistant", "content": place.model_dump_json()})


hold_all(hold)
