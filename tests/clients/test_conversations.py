"""Three turns with a call of a tool in them, by the clients themselves, over HTTP.

What the engine says is a script; what the clients make of it, and send back, is theirs. Each program beside this file
holds one conversation in every way that its client has: streamed or not, stored or not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import pytest

from steiner.reasoning.parser.tool_calls import call_text

from .clients import CONVERSATIONS, install_ai_sdk, python_of_clients, told_of

CONTEXT = 16384


class Client(NamedTuple):
    """A program, and the ways in which its client can be asked.

    Attributes:
        installed_with: the server's own packages, or those of other clients.
        variants: of the client, each with whether its interface knows of storing.
        carries: variants that send conclusions of earlier reasoning back, with whether streams do, too.
    """

    program: str
    installed_with: str
    variants: dict[str, bool]
    streams: Sequence[bool] = (False, True)
    carries: dict[str, Sequence[bool]] = {}  # noqa: RUF012


BOTH = (False, True)
CLIENTS = [
    Client("curl_chat", "server", {"": False}, [False], {"": [False]}),
    Client("steiner_client", "server", {"": False}, [True], {"": [True]}),
    Client("openai_chat", "server", {"": False}, carries={"": [False]}),
    Client("openai_responses", "server", {"": True}, carries={"": BOTH}),
    Client("langchain_chat", "server", {"": False, "responses": True}, carries={"responses": BOTH}),
    Client("litellm_chat", "others", {"": False}, carries={"": [False]}),
    Client("litellm_responses", "others", {"": True}, carries={"": BOTH}),
    Client("agents_sdk", "others", {"chat": False, "": True}, carries={"": BOTH}),
    Client(
        "pydantic_ai_agent", "others", {"chat": False, "": True, "previous": False},
        carries={"": BOTH, "previous": BOTH},
    ),
    Client(
        "conversation.mjs", "node", {"compatible": False, "chat": False, "responses": True},
        carries={"responses": BOTH},
    ),
]  # fmt: skip


def told_by(
    client: Client, asks: list[dict[str, Any]], program: Callable[[str], str]
) -> list[dict[str, Any]]:
    """What came of the conversations that a client's program holds, in its own environment."""
    match client.installed_with:
        case "node":
            return told_of([program("node"), client.program], asks, install_ai_sdk(program("npm")))
        case "others":
            return told_of([python_of_clients(), f"{client.program}.py"], asks, CONVERSATIONS)
        case _:
            return told_of([sys.executable, f"{client.program}.py"], asks, CONVERSATIONS)


@pytest.fixture
def script(stage: Any) -> list[str]:
    """A call and the answer behind it; then two more answers, each after three steps of which one is refuted."""
    reasoning = stage.with_backtrack.split("<end>")[0] + "<end>"
    call = call_text("get_weather", {"city": "Oslo"})
    said = [call, "It is warm.", "second", "third"]
    return [text for answer in said for text in (reasoning, f"{answer}<eot>")]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.program)
def test_three_turns_with_a_call(
    stage: Any, serve: Any, script: list[str], program: Callable[[str], str], client: Client
) -> None:
    asks: list[dict[str, Any]] = []
    engines = []
    for (variant, can_store), stream in product(client.variants.items(), client.streams):
        for store in (True, False) if can_store else (True,):
            engine = stage.engine(*script, per_update=4)
            engine.max_model_len = CONTEXT
            url = f"{serve(engine).url}/v1"
            asks.append({"url": url, "model": "tiny", "variant": variant, "stream": stream, "store": store})
            engines.append(engine)
    for ask, told, engine in zip(asks, told_by(client, asks, program), engines, strict=True):
        assert told["calls"] == [{"city": "Oslo"}], ask
        assert told["texts"] == ["It is warm.", "second", "third"], ask
        assert told.get("warned", []) == [], ask
        assert len(engine.requests) == len(script), ask
        # Of the last answer, before its own reasoning.
        prompt = stage.tokenizer.decode(engine.requests[-2].prompt_ids)
        assert prompt.count("20 degrees") == prompt.count("second") == 1, ask
        carries = ask["stream"] in client.carries.get(ask["variant"], ())
        conclusions = [prompt.count(f"left {number}") for number in (1, 2, 3)]
        assert conclusions == ([3, 0, 3] if carries else [0, 0, 0]), ask


INSTRUCTOR = {"TOOLS": BOTH, "TOOLS_STRICT": BOTH, "JSON_SCHEMA": BOTH, "RESPONSES_TOOLS": [False]}


def test_instructor_asks_again(stage: Any, serve: Any, program: Callable[[str], str]) -> None:
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    asks, engines = [], []
    for mode, streams in INSTRUCTOR.items():
        for stream in streams:
            said = ["Bergen"] * 3 if stream else ["Oslo", *["Bergen"] * 3]
            objects = [{"city": city} for city in said]
            answers = [
                call_text("Place", place) if "TOOLS" in mode else json.dumps(place) for place in objects
            ]
            engine = stage.engine(
                *(text for one in answers for text in (reasoning, f"{one}<eot>")), per_update=4
            )
            engine.max_model_len = CONTEXT
            url = f"{serve(engine).url}/v1"
            asks.append({"url": url, "model": "tiny", "variant": mode, "stream": stream})
            engines.append(engine)
    client = Client("instructor_chat", "others", {})
    for ask, told, engine in zip(asks, told_by(client, asks, program), engines, strict=True):
        assert told["texts"] == ["Bergen"] * 3, ask
        assert len(engine.requests) == (6 if ask["stream"] else 8), ask
        if not ask["stream"]:
            assert "not the capital" in stage.tokenizer.decode(engine.requests[2].prompt_ids), ask
