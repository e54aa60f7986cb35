"""The official client, unchanged, against our chat completions."""

from typing import Any

import openai
import pytest
from tests.official_client import official_client

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


def test_a_completion_carries_answer_reasoning_steps_and_usage(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.with_backtrack))
    completion = official_client(served).chat.completions.create(**ASK)
    [choice] = completion.choices
    assert choice.message.content == "make 22"
    assert choice.finish_reason == "stop"
    assert choice.message.reasoning == choice.message.reasoning_content
    assert "left 2 [refuted]\nleft 2\n[back to depth 1]\n\nleft 3" in choice.message.reasoning
    verdicts = [step["verdict"] for step in choice.message.reasoning_steps]
    assert verdicts == ["verified", "refuted", "verified"]
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len(stage.ids_of(stage.with_backtrack))
    details = completion.usage.completion_tokens_details
    assert details is not None
    assert details.reasoning_tokens == completion.usage.completion_tokens - 2 - 2 - 1
    assert (
        completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    )
    assert served.engine.requests[0].prompt_ids == stage.tokenizer.apply_chat_template(
        ASK["messages"], add_generation_prompt=True, return_dict=False
    )


@pytest.mark.parametrize("per_update", [1, 4, 1000])
def test_the_stream_joins_to_the_completion(stage: Any, serve: Any, per_update: int) -> None:
    engine = stage.engine(stage.with_backtrack, per_update=per_update)
    client = official_client(serve(engine))
    whole = client.chat.completions.create(**ASK)
    chunks = list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    *body, last = chunks
    assert last.choices == []
    assert last.usage == whole.usage
    deltas = [chunk.choices[0].delta for chunk in body]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    for name in ("reasoning", "reasoning_content"):
        joined = "".join(getattr(delta, name, None) or "" for delta in deltas)
        assert joined == whole.choices[0].message.reasoning
    events = [delta.reasoning_step for delta in deltas if hasattr(delta, "reasoning_step")]
    assert [event["step"] for event in events if event["type"] == "step.done"] == [1, 2, 3]
    assert [chunk.choices[0].finish_reason for chunk in body] == [None] * (len(body) - 1) + ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_without_include_usage_there_is_none(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine(stage.one_step)))
    chunks = list(client.chat.completions.create(**ASK, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


async def test_the_async_client_streams_many_at_once(stage: Any, serve: Any) -> None:
    import asyncio

    served = serve(stage.engine(stage.with_backtrack, per_update=3))
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as client:

        async def ask() -> str:
            stream = await client.chat.completions.create(**ASK, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        assert await asyncio.gather(*(ask() for _ in range(40))) == ["make 22"] * 40
    assert served.service.generations.num_running == 0


def test_a_conversation_goes_on_with_the_message_as_it_came(stage: Any, serve: Any) -> None:
    engine = stage.engine(stage.with_backtrack)
    client = official_client(serve(engine))
    message = client.chat.completions.create(**ASK).choices[0].message
    again = [*ASK["messages"], message.model_dump(), {"role": "user", "content": "make 4"}]
    client.chat.completions.create(model="tiny", messages=again)
    prompt = stage.tokenizer.decode(engine.requests[-1].prompt_ids)
    # Of the reasoning, the summaries of the live path: steps 1 and 3; 2 was refuted.
    assert "left 1" in prompt
    assert "left 3" in prompt
    assert "left 2" not in prompt
    assert "<|reasoning" not in prompt


def test_effort_none_answers_at_once(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine("22<eot>")))
    completion = client.chat.completions.create(**ASK, reasoning_effort="none")
    assert completion.choices[0].message.content == "22"
    assert completion.choices[0].message.reasoning is None


def test_length_is_a_finish_reason(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine(stage.one_step)))
    completion = client.chat.completions.create(**ASK, max_completion_tokens=9)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 9
    assert completion.choices[0].message.reasoning_steps[0]["interrupted"]


def test_the_models_list_has_the_model(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine(stage.one_step)))
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_refusals_are_the_clients_own_exceptions(stage: Any, serve: Any) -> None:
    client = official_client(serve(stage.engine(stage.one_step)))
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ASK, temperature=3)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(messages=ASK["messages"], model="gpt-5")
    assert unknown.value.code == "model_not_found"
