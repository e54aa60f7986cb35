"""Parameters of chat completions on a real engine: log probabilities, choices, stop strings."""

import asyncio
import math
from typing import Any

import openai
import pytest
from tests.official_client import official_client

pytestmark = pytest.mark.e2e

PROBLEM = [{"role": "user", "content": "make 22 from 15 4 11"}]
LIMITS: dict[str, Any] = {
    "messages": PROBLEM,
    "max_completion_tokens": 80,
    "extra_body": {"reasoning": {"max_reasoning_tokens": 40}},
}


@pytest.fixture
def client(server: Any) -> openai.OpenAI:
    return official_client(server, timeout=120)


def test_the_greedy_token_is_the_likeliest(client: openai.OpenAI, server: Any) -> None:
    [choice] = client.chat.completions.create(
        model=server.model, temperature=0, logprobs=True, top_logprobs=3, **LIMITS
    ).choices
    content = (choice.logprobs and choice.logprobs.content) or []
    said = b"".join(bytes(token.bytes or ()) for token in content).decode(errors="replace")
    answer = choice.message.content or ""
    # The tokens may end inside a character, and the answer then before it.
    assert said.startswith(answer)
    assert set(said[len(answer) :]) <= {"\ufffd"}
    for token in content:
        values = [one.logprob for one in token.top_logprobs]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert max(values) <= 0
        assert token.logprob in values or token.logprob < values[-1]
    # What the grammar forbids may have been likelier still, but never all the way through.
    assert not content or any(token.logprob == token.top_logprobs[0].logprob for token in content)


SCHEMA = {
    "type": "object",
    "properties": {"a": {"enum": [15, 4]}, "b": {"type": "boolean"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def test_under_a_schema_they_are_those_of_what_fits(client: openai.OpenAI, server: Any) -> None:
    """Pins vLLM's order, grammar first; were it the other way round, docs/chat.md would have to say so."""
    described = {"type": "json_schema", "json_schema": {"name": "ab", "schema": SCHEMA}}
    request: Any = {"temperature": 0, "logprobs": True, "top_logprobs": 20, "response_format": described}
    [choice] = client.chat.completions.create(model=server.model, **request, **LIMITS).choices
    content = (choice.logprobs and choice.logprobs.content) or []
    assert content
    forced = 0
    for token in content:
        top = token.top_logprobs
        # The model itself would hardly ever have written this as its likeliest.
        assert (token.token, token.logprob) == (top[0].token, top[0].logprob)
        assert all(one.logprob > -9999 for one in top)
        if len(top) < 20:
            assert sum(math.exp(one.logprob) for one in top) == pytest.approx(1, abs=1e-3)
        forced += len(top) == 1
        if len(top) == 1:
            assert token.logprob == 0
    assert forced


def test_in_free_text_the_markers_alone_are_masked(client: openai.OpenAI, server: Any) -> None:
    [choice] = client.chat.completions.create(
        model=server.model, temperature=0, logprobs=True, top_logprobs=20, **LIMITS
    ).choices
    content = (choice.logprobs and choice.logprobs.content) or []
    listed = [one for token in content for one in token.top_logprobs]
    assert len(listed) == 20 * len(content)
    assert not [one.token for one in listed if one.token.startswith("<|reasoning_")]


def test_choices_differ(client: openai.OpenAI, server: Any) -> None:
    def ask() -> list[Any]:
        completion = client.chat.completions.create(
            model=server.model, temperature=2.0, seed=11, n=3, **LIMITS
        )
        return [choice.message.reasoning for choice in completion.choices]

    first = ask()
    assert len(set(first)) > 1
    assert len(first) == 3


def test_a_stop_string_cuts_the_answer(client: openai.OpenAI, server: Any) -> None:
    request: dict[str, Any] = {"model": server.model, "temperature": 0, **LIMITS}
    whole = client.chat.completions.create(**request).choices[0].message.content or ""
    assert len(whole) > 1
    stop = whole[len(whole) // 2 :][:3]
    cut = client.chat.completions.create(**request, stop=stop)
    assert cut.choices[0].message.content == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


async def test_many_long_prompts_with_seeds_come_at_once(server: Any) -> None:
    # Together longer than one batch of the engine: prefilled in parts, they would end it on a CPU.
    roads = ", ".join(["Rome > Oslo, Oslo > Bern, Bern > Kyiv"] * 12)
    text = f"roads {roads} from Rome to Bern"
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="none", timeout=300, max_retries=0
    ) as client:
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=server.model,
                    messages=[{"role": "user", "content": f"{text} {number}"}],
                    seed=number,
                    max_completion_tokens=40,
                    extra_body={"reasoning": {"max_reasoning_tokens": 16}},
                )
                for number in range(64)
            )
        )
    num_prompt_tokens = sum(answer.usage.prompt_tokens for answer in answers if answer.usage)
    assert num_prompt_tokens > 2 * 4096
    assert all(answer.choices[0].finish_reason for answer in answers)
