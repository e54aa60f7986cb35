"""Two turns on a real engine, by both of OpenAI's APIs: conclusions enter the second prompt, the search does not."""

from typing import Any

import openai
import pytest
from tests.official_client import official_client

# Random weights fill the context with their first answer.
pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]

FIRST = "make 22 from 15 4 11"
NEWS = "now make 49"
LIMITS: dict[str, Any] = {"max_steps": 12, "max_section_tokens": 60}


@pytest.fixture
def client(server: Any) -> openai.OpenAI:
    return official_client(server, timeout=180)


def test_a_response_goes_on_from_the_one_before(client: openai.OpenAI, server: Any) -> None:
    first = client.responses.create(
        model=server.model, input=FIRST, temperature=0, extra_body={"reasoning": LIMITS}
    )
    second = client.responses.create(
        model=server.model,
        input=NEWS,
        previous_response_id=first.id,
        temperature=0,
        extra_body={"reasoning": LIMITS},
    )
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(second.id).output_text == second.output_text
    assert first.usage is not None
    assert second.usage is not None
    # The conclusions are there, and the search is not.
    grown = second.usage.input_tokens - first.usage.input_tokens
    assert 0 < grown < first.usage.output_tokens_details.reasoning_tokens
    assert [item.type for item in second.output].count("reasoning") >= 1


def test_a_chat_whose_steps_are_sent_back_is_the_same_dialogue(client: openai.OpenAI, server: Any) -> None:
    def ask(messages: list[Any]) -> Any:
        return client.chat.completions.create(
            model=server.model, messages=messages, temperature=0, extra_body={"reasoning": LIMITS}
        )

    question = {"role": "user", "content": FIRST}
    first = ask([question])
    told = first.choices[0].message.model_dump(exclude_none=True)
    second = ask([question, told, {"role": "user", "content": NEWS}])
    alone = ask(
        [question, {"role": "assistant", "content": told["content"]}, {"role": "user", "content": NEWS}]
    )
    assert second.usage.prompt_tokens > alone.usage.prompt_tokens
