"""Messages that clients send back with notes of their own say the same as without; calls that were cut off stay."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from tests.official_client import official_client

from steiner.reasoning.parser.tool_calls import call_text

USER: dict[str, Any] = {"role": "user", "content": "make 22 from 15 4 11"}
CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"at": 1}'},
}
PLAIN: dict[str, Any] = {"role": "assistant", "content": "22", "tool_calls": [CALL]}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "call_1", "content": "5"}
LOOK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"]},
    },
}


class Result(BaseModel):
    found: bool


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step))


def prompt_of(served: Any, *messages: Any, stage: Any = None) -> Any:
    """The prompt that these messages make: ids, or text with a stage."""
    answer = httpx.post(f"{served.url}/v1/chat/completions", json={"messages": messages, "tools": [LOOK]})
    assert answer.status_code == 200, answer.text
    ids = list(served.engine.requests[-1].prompt_ids)
    return ids if stage is None else stage.tokenizer.decode(ids)


NOTES: dict[str, dict[str, Any]] = {
    "parsed by openai-python": {"parsed": {"found": True}},
    "nothing parsed": {"parsed": None},
    "our deltas, joined": {"reasoning_step": {"type": "step.done", "step": 6, "forced": 2}},
    "every field of OpenAI's": {"refusal": None, "audio": None, "function_call": None, "annotations": []},
    "citations": {"annotations": [{"type": "url_citation", "url_citation": {"url": "x"}}]},
    "LiteLLM": {
        "provider_specific_fields": {"refusal": None, "reasoning": "left 1"},
        "thinking_blocks": [{"type": "thinking", "thinking": "left 1", "signature": "x"}],
        "reasoning_items": [],
        "images": [],
        "function_call": None,
    },
    "OpenRouter": {
        "reasoning_details": [{"type": "reasoning.text", "text": "left 1"}],
        "reasoning": "left 1",
    },
    "reasoning in parts": {"reasoning": [{"text": "left 1"}], "reasoning_content": None},
    "an id": {"id": "msg_1", "status": "completed", "phase": "final_answer", "created_at": 0},
    "names that resemble what is there": {"contents": "9", "tool_call": [], "context": {}},
    "a name": {"name": "solver"},
}
NOTES_IN_A_CALL: dict[str, dict[str, Any]] = {
    "parsed arguments": {"function": CALL["function"] | {"parsed_arguments": {"at": 1}}},
    "an index": {"index": 0},
    "LiteLLM": {
        "function": CALL["function"] | {"provider_specific_fields": None},
        "provider_specific_fields": {"thought_signature": "x"},
    },
    "Gemini": {"extra_content": {"google": {"thought_signature": "x"}}},
    "no type": {"type": None},
}


@pytest.mark.parametrize("case", NOTES)
def test_notes_in_an_answer_say_nothing(served: Any, case: str) -> None:
    plain = prompt_of(served, USER, PLAIN, RESULT)
    assert prompt_of(served, USER, PLAIN | NOTES[case], RESULT) == plain


@pytest.mark.parametrize("case", NOTES_IN_A_CALL)
def test_notes_in_a_call_say_nothing(served: Any, case: str) -> None:
    plain = prompt_of(served, USER, PLAIN, RESULT)
    noted = PLAIN | {"tool_calls": [CALL | NOTES_IN_A_CALL[case]]}
    assert prompt_of(served, USER, noted, RESULT) == plain


@pytest.mark.parametrize(
    "notes", [{"name": "look"}, {"is_error": False, "artifact": None, "id": "x"}, {"status": "success"}]
)
def test_notes_in_a_tools_answer_say_nothing(served: Any, notes: dict[str, Any]) -> None:
    plain = prompt_of(served, USER, PLAIN, RESULT)
    assert prompt_of(served, USER, PLAIN, RESULT | notes) == plain


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "22", "annotations": [], "cache_control": {"type": "ephemeral"}}],
        [{"type": "thinking", "thinking": "left 1", "signature": "x"}, {"type": "text", "text": "22"}],
        [{"type": "reasoning", "text": "left 1"}, {"type": "text", "text": "22", "parsed": None}],
    ],
)
def test_notes_in_parts_say_nothing(served: Any, content: list[Any]) -> None:
    plain = prompt_of(served, USER, PLAIN, RESULT)
    assert prompt_of(served, USER, PLAIN | {"content": content}, RESULT) == plain


def test_litellm_keeps_steps_in_a_field_of_its_own(served: Any, stage: Any) -> None:
    answer = httpx.post(f"{served.url}/v1/chat/completions", json={"messages": [USER]}).json()
    message = answer["choices"][0]["message"]
    steps = message.pop("reasoning_steps")
    noted = message | {"provider_specific_fields": {"reasoning_steps": steps, "refusal": None}}
    sent = prompt_of(served, USER, message | {"reasoning_steps": steps}, USER, stage=stage)
    assert "left 1\n22" in sent
    assert prompt_of(served, USER, noted, USER, stage=stage) == sent


# The client's own, of its message with a parsed object.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.parametrize("stream", [False, True])
def test_the_official_clients_helpers_send_back_what_they_got(stage: Any, serve: Any, stream: bool) -> None:
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    served = serve(stage.engine(reasoning, '{"found": true}<eot>', per_update=2))
    with official_client(served) as client:
        asked: Any = {"model": "tiny", "response_format": Result}
        messages: list[Any] = [USER]
        for _ in range(3):
            if stream:
                with client.chat.completions.stream(messages=messages, **asked) as streamed:
                    completion: Any = streamed.get_final_completion()
            else:
                completion = client.chat.completions.parse(messages=messages, **asked)
            message = completion.choices[0].message
            assert message.parsed == Result(found=True)
            messages += [message, USER]


CUT_OFF = {
    "nothing": ("", "{}"),
    "white space": (" \n", "{}"),
    "an opening": ("{", "{"),
    "half a text": ('{"at": "Os\\"l', '{"at": "Os\\"l'),
    "half an escape": ('{"at": "\\ud83d', '{"at": "\\ud83d'),
    "a list": ("[1]", "[1]"),
    "a number": ("5", "5"),
    "null": ("null", "null"),
    "a text": ('"at"', '"at"'),
    "no number of JSON": ('{"at": NaN}', '{"at": NaN}'),
    "two objects": ("{} {}", "{} {}"),
    "half a character in JSON": ('{"at": "\\ud800"}', '{"at": "\\ud800"}'),
    "nested too deep": ('{"at": ' + "[" * 70 + "]" * 70 + "}", '{"at": ' + "[" * 70 + "]" * 70 + "}"),
    "a marker": ("{<|im_end|>", "{<|im_end|>"),
}


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("case", CUT_OFF)
def test_a_call_that_was_cut_off_goes_on_as_the_text_it_was(
    served: Any, stage: Any, case: str, answered: bool
) -> None:
    arguments, written = CUT_OFF[case]
    message = PLAIN | {"tool_calls": [CALL | {"function": {"name": "look", "arguments": arguments}}]}
    prompt = prompt_of(served, USER, message, *([RESULT] if answered else []), USER, stage=stage)
    assert f'<tool_call>\n{{"name": "look", "arguments": {written}}}\n</tool_call>' in prompt
    ids = served.engine.requests[-1].prompt_ids
    num_turns = 5 if answered else 4
    assert sum(token_id == stage.bound.end_of_turn_id for token_id in ids) == num_turns


def test_arguments_that_are_missing_are_none(served: Any, stage: Any) -> None:
    message = PLAIN | {"tool_calls": [CALL | {"function": {"name": "look", "arguments": None}}]}
    assert '"arguments": {}}' in prompt_of(served, USER, message, RESULT, stage=stage)


def test_a_stream_that_ended_in_a_call_can_be_continued(stage: Any, serve: Any) -> None:
    reasoning = stage.one_step.split("<end>")[0] + "<end>"
    call = call_text("look", {"at": 123})
    engine = stage.engine(reasoning, f"{call}<eot>", stage.one_step, per_update=1)
    limit = len(engine.scripts[0].token_ids) + len(stage.ids_of(call.split("23")[0]))
    served = serve(engine)
    with official_client(served) as client:
        ask: dict[str, Any] = {"messages": [USER], "tools": [LOOK], "max_completion_tokens": limit}
        chunks = list(client.chat.completions.create(model="tiny", **ask, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"
    [first, *rest] = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    arguments = "".join(piece.function.arguments or "" for piece in rest)
    with pytest.raises(ValueError, match=r"delimiter|value"):
        json.loads(arguments)
    function = {"name": first.function.name, "arguments": arguments}
    calls = [{"id": first.id, "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    answer = {"role": "tool", "tool_call_id": first.id, "content": "the call was cut off"}
    for turns in ([USER, message, answer, USER], [USER, message, USER]):
        assert f'"arguments": {arguments}}}' in prompt_of(served, *turns, stage=stage)
