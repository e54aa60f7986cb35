"""What every conversation asks, as the programs beside this file read it from their command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

QUESTIONS = ("Is it warm in Oslo?", "make 22 from 15 4 11", "make 4 from 15 4 11")
WEATHER = "20 degrees"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city.", "parameters": PARAMETERS},
}
FLAT_TOOL: dict[str, Any] = {"type": "function", "strict": False, **TOOL["function"]}


@dataclass(frozen=True, slots=True)
class Asked:
    """How to hold one conversation.

    Attributes:
        url: of the server, with /v1.
        variant: of the client: which of its classes or modes.
        stream: whether answers are read as streams.
        store: whether the server keeps responses.
        tool_choice: of the first request.
        max_tokens: of each answer.
        extra_body: further fields of each request, where the client can send any.
    """

    url: str
    model: str
    variant: str = ""
    stream: bool = False
    store: bool = True
    tool_choice: str = "auto"
    max_tokens: int = 400
    extra_body: dict[str, Any] = field(default_factory=dict)

    @property
    def next_choice(self) -> str:
        """Of all requests but the first: a model that is made to call would never end."""
        return "auto" if self.tool_choice == "auto" else "none"


@dataclass(slots=True)
class Told:
    """What came of it: the arguments of each call, and the text of each turn."""

    calls: list[Any] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)


def hold_all(hold: Callable[[Asked, Told], None]) -> None:
    """Hold the conversations that the first argument lists, and print what came of them as the last line."""
    results: list[dict[str, Any]] = []
    for fields in json.loads(sys.argv[1]):
        told = Told()
        hold(Asked(**fields), told)
        results.append(asdict(told))
    print(json.dumps(results))
