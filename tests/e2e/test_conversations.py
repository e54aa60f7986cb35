"""Conversations of three turns that clients hold with a real engine; whatever the weights say, it can be sent back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.clients.clients import QUIET_ENVIRONMENT, install_ai_sdk

pytestmark = pytest.mark.e2e

PROGRAMS = Path(__file__).resolve().parents[1] / "clients" / "conversations"
LIMITED = {"reasoning": {"max_reasoning_tokens": 30}, "parallel_tool_calls": False, "temperature": 0}


def held(command: list[str | Path], asks: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*command, json.dumps(asks)],
        cwd=folder,
        env=QUIET_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return told


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
    check(held([sys.executable, f"{program}.py"], asks, PROGRAMS))


def test_node(server: Any, program: Callable[[str], str]) -> None:
    # It sends no fields that it does not know, so no limit of the reasoning.
    options = {"reasoningEffort": "none", "parallelToolCalls": False}
    folder = install_ai_sdk(program("npm"))
    asks = asks_of(server, variant="responses", options=options)
    check(held([program("node"), "conversation.mjs"], asks, folder))
