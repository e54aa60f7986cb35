"""LangChain's ChatOpenAI and the official client, as docs/clients.md has them."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from .documented import blocks, for_server

QUESTION = "make 22 from 15 4 11"


class Result(BaseModel):
    found: bool


def model_of(served: Any, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{served.url}/v1", api_key="none", model="tiny", max_retries=0, **options)


def test_the_documented_openai_program_runs(
    stage: Any, serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve(stage.engine(stage.with_backtrack, per_update=20))
    [program] = blocks("openai-python", "python")
    exec(compile(for_server(program, served.url, "tiny"), "docs/clients.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "1 verified left 1",
        "2 refuted left 2",
        "2 verified left 3",
        "make 22",
    ]


def test_the_documented_langchain_program_runs(
    stage: Any, serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reasoning = f"<start>{stage.step()}<end>"
    engine = stage.engine(
        f"{reasoning}22<eot>", f"{reasoning}22<eot>", reasoning, '{"found": true}<eot>', per_update=20
    )
    served = serve(engine)
    [program] = blocks("LangChain", "python")
    exec(compile(for_server(program, served.url, "tiny"), "docs/clients.md", "exec"), {})
    num_reasoning = len(stage.ids_of(reasoning)) - 2
    assert capsys.readouterr().out == f"22 {num_reasoning}\n22found=True\n"
    assert '"found"' in engine.requests[-1].grammar


def test_a_message_has_what_langchain_keeps(stage: Any, serve: Any) -> None:
    message = model_of(serve(stage.engine(stage.with_backtrack, per_update=20))).invoke(QUESTION)
    assert message.content == "make 22"
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "tiny"
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == len(stage.ids_of(stage.with_backtrack))
    # As the page says: fields that OpenAI does not have are dropped.
    assert "reasoning_steps" not in message.additional_kwargs


async def test_streams_and_batches(stage: Any, serve: Any) -> None:
    model = model_of(serve(stage.engine(stage.with_backtrack, per_update=5)), stream_usage=True)
    chunks = [chunk async for chunk in model.astream(QUESTION)]
    assert "".join(str(chunk.content) for chunk in chunks) == "make 22"
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1
    answers = await model.abatch([QUESTION] * 8)
    assert [answer.content for answer in answers] == ["make 22"] * 8


def test_options_of_the_reasoning_pass_through(stage: Any, serve: Any) -> None:
    served = serve(stage.engine("22<eot>"))
    limited = model_of(served, extra_body={"reasoning": {"max_reasoning_tokens": 0}}, temperature=0)
    assert limited.invoke(QUESTION).content == "22"
    assert model_of(served, reasoning_effort="none").invoke(QUESTION).content == "22"
    assert served.engine.requests[0].sampling.temperature == 0


def test_a_conversation_in_langchains_messages(stage: Any, serve: Any) -> None:
    served = serve(stage.engine(stage.one_step))
    turns = [("system", "be brief"), ("human", QUESTION), ("ai", "15 + 11 - 4"), ("human", "make 4")]
    assert model_of(served).invoke(turns).content == "22"
