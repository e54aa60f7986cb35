"""n by the official client: choices with reasoning of their own, one usage, one ending."""

import itertools
from typing import Any

import httpx
import openai
import pytest
from tests.official_client import official_client

from steiner.server.conductor.requests import choices_of
from steiner.server.engine.base import EngineError, Sampling
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


@pytest.fixture
def texts(stage: Any) -> list[str]:
    return [stage.one_step, stage.with_backtrack, f"<start>{stage.step()}<end>left 4<eot>"]


@pytest.mark.parametrize("per_update", [1, 5])
def test_stream_and_whole_have_the_same_choices(
    stage: Any, serve: Any, texts: list[str], per_update: int
) -> None:
    served = serve(stage.engine(*texts, *texts, per_update=per_update))
    client = official_client(served)
    whole = client.chat.completions.create(**ASK, n=3, seed=5)
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert [choice.message.content for choice in whole.choices] == ["22", "make 22", "left 4"]
    steps = [len(choice.message.reasoning_steps) for choice in whole.choices]
    assert steps == [1, 3, 1]
    assert whole.usage is not None
    assert whole.usage.completion_tokens == sum(len(stage.ids_of(text)) for text in texts)
    assert whole.usage.prompt_tokens == len(served.engine.requests[0].prompt_ids)
    assert whole.usage.completion_tokens_details is not None

    contents, reasonings, ends = [""] * 3, [""] * 3, []
    *body, last = client.chat.completions.create(
        **ASK, n=3, seed=5, stream=True, stream_options={"include_usage": True}
    )
    for chunk in body:
        [choice] = chunk.choices
        contents[choice.index] += choice.delta.content or ""
        reasonings[choice.index] += getattr(choice.delta, "reasoning", None) or ""
        ends += [choice.index] * (choice.finish_reason is not None)
    assert contents == [choice.message.content for choice in whole.choices]
    assert reasonings == [choice.message.reasoning for choice in whole.choices]
    assert sorted(ends) == [0, 1, 2]
    assert last.usage == whole.usage
    assert {chunk.id for chunk in [*body, last]} == {last.id}
    # Interleaved, not one behind the other.
    order = [chunk.choices[0].index for chunk in body]
    assert order != sorted(order)

    first, second = served.engine.requests[:3], served.engine.requests[3:]
    seeds = [request.sampling.seed for request in first]
    assert seeds == [request.sampling.seed for request in second]
    assert len(set(seeds)) == 3
    assert seeds[0] == 5
    assert len({request.request_id for request in served.engine.requests}) == 6


@pytest.mark.parametrize("per_update", [1, 3, 400])
@pytest.mark.parametrize("max_running", [1, 2, 8])
def test_choices_of_a_stream_begin_in_order(
    stage: Any, serve: Any, texts: list[str], per_update: int, max_running: int
) -> None:
    served = serve(stage.engine(*texts, per_update=per_update), max_running=max_running)
    client = official_client(served)
    for num_choices in (2, 3, 8):
        chunks = list(client.chat.completions.create(**ASK, n=num_choices, stream=True))
        first, rest = chunks[:num_choices], chunks[num_choices:]
        assert [[choice.index for choice in chunk.choices] for chunk in first] == [
            [i] for i in range(num_choices)
        ]
        assert {chunk.choices[0].delta.role for chunk in first} == {"assistant"}
        assert {chunk.choices[0].delta.role for chunk in rest} == {None}


@pytest.mark.parametrize("per_update", [1, 400])
def test_the_official_helper_of_streams_reads_every_choice(
    stage: Any, serve: Any, texts: list[str], per_update: int
) -> None:
    client = official_client(serve(stage.engine(*texts, per_update=per_update)))
    with client.chat.completions.stream(**ASK, n=3, seed=5) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert [choice.message.content for choice in completion.choices] == ["22", "make 22", "left 4"]
    assert [choice.finish_reason for choice in completion.choices] == ["stop"] * 3


def test_seeds_of_choices_do_not_meet_those_of_continuations(stage: Any) -> None:
    for seed in (0, 7, -3, 2**63 - 1):
        assignment = stage.conductor(stage.engine(""), sampling=Sampling(seed=seed)).assignment
        seeds = [choice.sampling.seed or 0 for choice in choices_of(assignment, 16)]
        assert seeds[0] == seed
        assert all(0 <= one < 2**63 for one in seeds[1:])
        spans = sorted(one % 2**63 for one in seeds)
        assert min(after - before for before, after in itertools.pairwise(spans)) > 10_000
    unseeded = stage.conductor(stage.engine(""), sampling=Sampling()).assignment
    assert {choice.sampling.seed for choice in choices_of(unseeded, 3)} == {None}


@pytest.mark.parametrize("stream", [False, True])
def test_one_failing_choice_fails_the_request(
    stage: Any, serve: Any, texts: list[str], stream: bool, eventually: Any
) -> None:
    failing = Script(stage.ids_of(f"<start>{stage.step()}"), raises=EngineError("broken"))
    holding = Script(stage.ids_of(texts[0])[:-3], holds=True)
    served = serve(ScriptedEngine([holding, failing, holding]))
    client = official_client(served)
    with pytest.raises(openai.APIError) as failed:
        list(client.chat.completions.create(**ASK, n=3, stream=stream))
    assert failed.value.code == "engine_error"
    eventually(lambda: served.service.generations.num_running == 0)
    assert len(served.engine.aborted) == 3


def test_leaving_ends_every_choice(stage: Any, serve: Any, texts: list[str], eventually: Any) -> None:
    served = serve(ScriptedEngine([Script(stage.ids_of(texts[0])[:-3], holds=True)]))
    body = ASK | {"n": 4, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=body) as answer:
        next(line for line in answer.iter_lines() if '"index":3' in line)
    eventually(lambda: served.service.generations.num_running == 0)
    assert len(served.engine.aborted) == 4


def test_the_limit_is_the_deployments(stage: Any, serve: Any, texts: list[str]) -> None:
    client = official_client(serve(stage.engine(texts[0]), max_choices=2))
    assert len(client.chat.completions.create(**ASK, n=2).choices) == 2
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ASK, n=3)
    assert refused.value.param == "n"
    assert "STEINER_MAX_CHOICES" in str(refused.value)


def test_a_step_stream_is_one_tree(stage: Any, serve: Any, texts: list[str]) -> None:
    served = serve(stage.engine(texts[0]))
    answer = httpx.post(f"{served.url}/v1/reasoning", json={"messages": ASK["messages"], "n": 2})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "n"
