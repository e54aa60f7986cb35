"""Usage while a stream runs: vLLM's continuous_usage_stats, and the totals of the step stream."""

import json
from typing import Any

import httpx
import pytest
from tests.official_client import official_client

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


def chunks_of(served: Any, options: dict[str, Any], **fields: Any) -> list[Any]:
    client = official_client(served)
    ask: dict[str, Any] = ASK | fields | {"stream_options": options}
    return list(client.chat.completions.create(**ask, stream=True))


@pytest.mark.parametrize("per_update", [1, 4, 1000])
@pytest.mark.parametrize("num_choices", [1, 3])
def test_every_chunk_tells_that_of_its_choice(
    stage: Any, serve: Any, per_update: int, num_choices: int
) -> None:
    served = serve(stage.engine(stage.with_backtrack, per_update=per_update))
    options = {"include_usage": True, "continuous_usage_stats": True}
    *body, last = chunks_of(served, options, n=num_choices)
    assert last.choices == []
    num_tokens = len(stage.ids_of(stage.with_backtrack))
    assert last.usage.completion_tokens == num_choices * num_tokens
    for index in range(num_choices):
        usages = [chunk.usage for chunk in body if chunk.choices[0].index == index]
        counts = [usage.completion_tokens for usage in usages]
        assert counts == sorted(counts)
        assert (counts[0], counts[-1]) == (0, num_tokens)
        for usage in usages:
            assert usage.prompt_tokens == last.usage.prompt_tokens
            assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
            assert usage.completion_tokens_details.reasoning_tokens <= usage.completion_tokens
    if num_choices == 1:
        assert body[-1].usage == last.usage


def test_it_is_told_where_it_was_asked_for_and_usage_too(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    for options, told, has_last in (
        ({"continuous_usage_stats": True}, False, False),
        ({"include_usage": False, "continuous_usage_stats": True}, False, False),
        ({"include_usage": True, "continuous_usage_stats": False}, False, True),
        ({"include_usage": True, "continuous_usage_stats": None}, False, True),
        ({"include_usage": True, "continuous_usage_stats": True}, True, True),
    ):
        chunks = chunks_of(served, options)
        assert (chunks[-1].choices == []) == has_last
        assert {chunk.usage is not None for chunk in chunks if chunk.choices} == {told}


def test_a_step_stream_tells_the_total(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    answer = httpx.post(f"{served.url}/v1/reasoning", json={"messages": ASK["messages"]})
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    [usage] = [event for event in events if event["type"] == "usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
