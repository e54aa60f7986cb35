"""A text that the tokens end in ends before a character that they cut: answers and reasoning, streamed and whole."""

import json
from typing import Any

import httpx
import pytest
from tests.official_client import official_client

from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.scripted_engine import Script, ScriptedEngine

USER = {"role": "user", "content": "make 22 from 15 4 11"}
BROKEN = "\ufffd"
CHARACTERS = ["🙂", "東", "é"]


def cuts(stage: Any, before: str, text: str, character: str) -> list[tuple[int, str]]:
    """Numbers of tokens after which the text is cut inside the character, and at its edges, with what is left of it."""
    whole = stage.ids_of(before + text + character)
    start = len(stage.ids_of(before))
    first = next(
        k for k in range(start, len(whole)) if BROKEN in stage.tokenizer.decode(whole[start : k + 1])
    )
    assert len(whole) - first > 1, "the character is a token of its own"
    return [(size, text if size < len(whole) else text + character) for size in range(first, len(whole) + 1)]


def engine_of(stage: Any, text: str, per_update: int) -> ScriptedEngine:
    ids = stage.ids_of(text)
    return ScriptedEngine([Script(ids, per_update, logprobs=[TokenLogprobs(-0.5)] * len(ids))])


def events_of(served: Any, max_tokens: int) -> list[dict[str, Any]]:
    body = {"messages": [USER], "max_tokens": max_tokens}
    answer = httpx.post(f"{served.url}/v1/reasoning", json=body, timeout=30)
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("character", CHARACTERS)
@pytest.mark.parametrize("per_update", [1, 3, 100])
def test_an_answer_ends_before_it(stage: Any, serve: Any, character: str, per_update: int) -> None:
    before = f"<start>{stage.step()}<end>"
    served = serve(engine_of(stage, f"{before}make 22{character} more<eot>", per_update))
    client = official_client(served)
    for size, expected in cuts(stage, before, "make 22", character):
        ask: Any = {"model": "tiny", "messages": [USER], "max_tokens": size, "logprobs": True}
        [choice] = client.chat.completions.create(**ask).choices
        assert choice.message.content == expected
        assert choice.finish_reason == "length"
        content = choice.logprobs.content
        # Every token is told, those of half a character with their bytes.
        assert len(content) == size - len(stage.ids_of(before))
        said = b"".join(bytes(token.bytes) for token in content)
        whole = f"make 22{character}".encode()
        assert said.startswith(expected.encode())
        assert whole.startswith(said)
        chunks = [chunk.choices[0] for chunk in client.chat.completions.create(**ask, stream=True)]
        assert "".join(chunk.delta.content or "" for chunk in chunks) == expected
        assert [
            token for chunk in chunks for token in (chunk.logprobs and chunk.logprobs.content) or ()
        ] == content
        include: Any = ["message.output_text.logprobs"]
        asked: Any = {
            "model": "tiny",
            "input": "make 22 from 15 4 11",
            "max_output_tokens": size,
            "include": include,
        }
        response = client.responses.create(**asked)
        assert (response.output_text, response.status) == (expected, "incomplete")
        assert [token.bytes for token in response.output[-1].content[0].logprobs] == [
            token.bytes for token in content
        ]
        streamed = list(client.responses.create(**asked, stream=True))
        deltas = [event.delta for event in streamed if event.type == "response.output_text.delta"]
        assert streamed[-1].response.output_text == "".join(deltas) == expected
        events = events_of(served, size)
        assert [event["text"] for event in events if event["type"] == "answer.done"] == [expected]
        assert "".join(event["text"] for event in events if event["type"] == "answer.delta") == expected


@pytest.mark.parametrize("character", CHARACTERS)
@pytest.mark.parametrize("per_update", [1, 3, 100])
def test_a_section_ends_before_it(stage: Any, serve: Any, character: str, per_update: int) -> None:
    before = "<start><step_start><step_understanding_start>"
    text = f"{before}left 4{character} more<step_understanding_end>"
    served = serve(engine_of(stage, text, per_update))
    client = official_client(served)
    for size, expected in cuts(stage, before, "left 4", character):
        ask: Any = {"model": "tiny", "messages": [USER], "max_tokens": size}
        [choice] = client.chat.completions.create(**ask).choices
        message: Any = choice.message
        assert message.reasoning == message.reasoning_content == expected
        assert message.reasoning_steps[0]["sections"][0]["text"] == expected
        chunks: Any = [chunk.choices[0].delta for chunk in client.chat.completions.create(**ask, stream=True)]
        assert "".join(getattr(delta, "reasoning", None) or "" for delta in chunks) == expected
        response = client.responses.create(model="tiny", input="make 22 from 15 4 11", max_output_tokens=size)
        [item] = [one for one in response.output if one.type == "reasoning"]
        assert item.content is not None
        assert item.content[0].text == expected
        events = events_of(served, size)
        assert [event["text"] for event in events if event["type"] == "section.done"] == [expected]


def test_a_section_that_the_server_cuts_ends_before_it(stage: Any, serve: Any) -> None:
    smiles = "🙂" * 12
    served = serve(stage.engine(f"<start><step_start><step_understanding_start>left{smiles}"))
    num_inside = 0
    for budget in range(24, 36):
        body = {"messages": [USER], "reasoning": {"max_reasoning_tokens": budget}}
        answer = httpx.post(f"{served.url}/v1/reasoning", json=body, timeout=30)
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        assert "budget" in [event["kind"] for event in events if event["type"] == "intervention"]
        section = next(event for event in events if event["type"] == "section.done")
        assert f"left{smiles}".startswith(section["text"])
        num_inside += section["num_tokens"] > len(stage.ids_of(section["text"]))
    assert num_inside


def test_what_the_model_itself_broke_is_shown(stage: Any, serve: Any) -> None:
    ids = stage.ids_of(f"<start>{stage.step()}<end>make 22🙂")[:-1] + stage.ids_of("<eot>")
    [choice] = (
        official_client(serve(ScriptedEngine([Script(ids)])))
        .chat.completions.create(
            model="tiny",
            messages=[USER],  # type: ignore[list-item]
        )
        .choices
    )
    assert choice.finish_reason == "stop"
    assert choice.message.content is not None
    assert choice.message.content.startswith("make 22")
    assert choice.message.content.endswith(BROKEN)
