"""instructor: answers as typed objects, by a call of a tool; `mode` as the second argument."""

import sys
from typing import Any

import instructor
from asked import QUESTIONS, Told, asked
from openai import OpenAI
from pydantic import BaseModel, field_validator

ask, told = asked(), Told()


class Place(BaseModel):
    """Where somebody asks about."""

    city: str

    @field_validator("city")
    @classmethod
    def _is_no_capital(cls, city: str) -> str:
        if city == "Oslo":
            raise ValueError("not the capital")
        return city


mode = instructor.Mode[sys.argv[2]]
client = instructor.from_openai(OpenAI(base_url=ask.url, api_key="none", max_retries=0), mode=mode)
messages: list[Any] = []
for question in QUESTIONS:
    messages.append({"role": "user", "content": question})
    # The first answer is refused by the validator, so it goes back with the reason.
    place, reply = client.chat.completions.create_with_completion(
        model=ask.model, messages=messages, response_model=Place, max_retries=2
    )
    told.calls.append(place.model_dump())
    told.texts.append(place.city)
    messages.append({"role": "assistant", "content": place.model_dump_json()})
told.print()
