"""Log probabilities by the official client: its own types, streamed as in the whole."""

from typing import Any

import pytest
from tests.official_client import official_client

from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "make 22 from 15 4 11"}]}


@pytest.fixture
def engine(stage: Any) -> ScriptedEngine:
    ids = stage.ids_of(f"<start>{stage.step()}<end>make 22 → 東<eot>")
    [other] = stage.ids_of("left")
    told = [TokenLogprobs(-0.5, ((one, -0.5), (other, -2.0))) for one in ids]
    return ScriptedEngine([Script(ids, 2, logprobs=told)])


def test_stream_and_whole_tell_the_same(engine: ScriptedEngine, serve: Any) -> None:
    client = official_client(serve(engine))
    [choice] = client.chat.completions.create(**ASK, logprobs=True, top_logprobs=2).choices
    assert choice.logprobs is not None
    content = choice.logprobs.content
    assert content
    assert b"".join(bytes(token.bytes or ()) for token in content).decode() == choice.message.content
    assert choice.message.content == "make 22 → 東"
    for token in content:
        assert token.logprob == -0.5
        assert [one.logprob for one in token.top_logprobs] == [-0.5, -2.0]
        assert token.top_logprobs[0].bytes == token.bytes
    streamed: list[Any] = []
    for chunk in client.chat.completions.create(**ASK, logprobs=True, top_logprobs=2, stream=True):
        [part] = chunk.choices
        assert (part.logprobs is not None) == bool(part.delta.content)
        streamed += (part.logprobs and part.logprobs.content) or []
    assert streamed == content


def test_without_asking_there_are_none(engine: ScriptedEngine, serve: Any) -> None:
    client = official_client(serve(engine))
    assert client.chat.completions.create(**ASK).choices[0].logprobs is None
    assert client.chat.completions.create(**ASK, logprobs=False).choices[0].logprobs is None
    alone = client.chat.completions.create(**ASK, logprobs=True).choices[0].logprobs
    assert alone is not None
    assert {len(token.top_logprobs) for token in alone.content or ()} == {0}
