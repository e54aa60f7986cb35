"""Conversations of three turns that clients hold with a real engine; whatever the weights say, it can be sent back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.clients.clients import CONVERSATIONS, install_ai_sdk, told_of

pytestmark = pytest.mark.e2e

LIMITED = {"reasoning": {"max_reasoning_tokens": 30}, "parallel_tool_calls": False, "temperature": 0}


def asks_of(server: Any, **fields: Any) -> list[dict[str, Any]]:
    common = {"url": f"{server.url}/v1", "model": server.model, "tool_choice": "required", "max_tokens": 150}
    return [common | fields | {"stream": not store, "store": store} for store in (True, False)]


def check(told: list[dict[str, Any]]) -> None:
    for one in told:
        [call] = one["calls"]
        assert set(call) == {"city"}
        assert len(call["city"]) <= 8
        assert len(one["texts"]) == 3


@pytest.mark.parametrize("program", ["openai_responses", "langchain_chat"])
def test_python(server: Any, program: str) -> None:
    asks = asks_of(server, extra_body=LIMITED)
    if program == "langchain_chat":
        asks += asks_of(server, extra_body=LIMITED, variant="responses")
    check(told_of([sys.executable, f"{program}.py"], asks, CONVERSATIONS))


def test_node(server: Any, program: Callable[[str], str]) -> None:
    # It sends no fields that it does not know, so no limit of the reasoning.
    options = {"reasoningEffort": "none", "parallelToolCalls": False}
    folder = install_ai_sdk(program("npm"))
    asks = asks_of(server, variant="responses", options=options)
    check(told_of([program("node"), "conversation.mjs"], asks, folder))
