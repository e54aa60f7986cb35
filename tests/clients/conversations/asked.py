"""What every conversation asks, as the programs beside this file read it from their command line."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
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
    """How to hold the conversation.

    Attributes:
        url: of the server, with /v1.
        stream: whether answers are read as streams.
        store: whether the server keeps responses.
        tool_choice: of the first request.
        max_tokens: of each answer.
    """

    url: str
    model: str
    stream: bool = False
    store: bool = True
    tool_choice: str = "auto"
    max_tokens: int = 400


@dataclass(slots=True)
class Told:
    """What came of it: the arguments of each call and the text of each turn."""

    calls: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def print(self) -> None:
        """One JSON object, the last line of the program."""
        print(json.dumps({"calls": self.calls, "texts": self.texts}))


def asked() -> Asked:
    """From the first argument."""
    return Asked(**json.loads(sys.argv[1]))
