"""Prompts with tools: what the chat template says, and no marker from any text of a caller."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qwen_templates import QWEN3, QWEN25
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.server.intake.prompts import Call, PromptEncoder, PromptError, Turn
from steiner.training.model.tokenizer import CHAT_TEMPLATE

SPECIAL = [*STEINER.special_tokens, "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
TAGS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]


def tokenizer_with(template: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with Qwen2.5's tokens of tools, which are no special ones."""
    alphabet = {char: index for index, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    backend.add_tokens([AddedToken(text, normalized=False) for text in TAGS])
    return PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=template)


TEMPLATES = {"Qwen2.5": QWEN25, "Qwen3": QWEN3, "ours": CHAT_TEMPLATE}
TOKENIZERS = {name: tokenizer_with(template) for name, template in TEMPLATES.items()}
PIECES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from([*SPECIAL, *TAGS, "<|", "|>", '"', "\\", "\\n", "\n", " ", '\ue9f00"\ue9f1', "\ue9f0"]),
)
# Qwen3's template cuts texts at the end of thinking: there is nothing to cut in a placeholder.
TEXTS = st.lists(PIECES, max_size=5).map("".join).filter(lambda text: "</think>" not in text)
NAMES = st.from_regex(r"\A[a-zA-Z0-9_-]{1,12}\Z") | st.sampled_from(["im_start", "type", "string"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.sampled_from(["string", "object"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TOOLS = st.lists(
    st.builds(
        lambda name, description, properties: {
            "type": "function",
            "function": {
                "name": name,
                "description": description,
                "parameters": {"type": "object", "properties": properties},
            },
        },
        NAMES,
        TEXTS,
        st.dictionaries(
            TEXTS, st.fixed_dictionaries({"type": st.just("string"), "enum": VALUES}), max_size=3
        ),
    ),
    min_size=1,
    max_size=3,
)
CALLS = st.lists(st.builds(Call, TEXTS, NAMES, st.dictionaries(TEXTS, VALUES, max_size=3)), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    turns = [Turn("system", draw(TEXTS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 2))):
        # Qwen3's template takes a text between these tags for a result; a placeholder never is one.
        turns.append(Turn("user", "q" + draw(TEXTS)))
        calls = tuple(draw(CALLS))
        turns.append(Turn("assistant", draw(TEXTS), calls))
        turns += [Turn("tool", draw(TEXTS), answers=call) for call in calls]
    # Behind the last question, Qwen3's template adds thinking to an answer.
    return [*turns, Turn("user", "q" + draw(TEXTS))]


def rendered(tokenizer: PreTrainedTokenizerFast, turns: list[Turn], tools: list[Any]) -> str:
    """What the template itself says; ours says it as Qwen3's does."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        message: dict[str, Any] = {"role": turn.role, "content": turn.text}
        if turn.calls:
            message["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in turn.calls
            ]
        messages.append(message)
    template = QWEN3 if tokenizer is TOKENIZERS["ours"] else None
    text = tokenizer.apply_chat_template(
        messages, tools=tools, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    return text


def num_markers(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> dict[str, int]:
    markers = {tokenizer.convert_tokens_to_ids(text): text for text in (*SPECIAL, *TAGS)}
    found = [markers[token_id] for token_id in ids if token_id in markers]
    return {text: found.count(text) for text in markers.values()}


@pytest.fixture(params=TOKENIZERS, scope="module")
def any_tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return TOKENIZERS[request.param]


@settings(deadline=None, max_examples=60)
@given(turns=conversations(), tools=TOOLS)
def test_the_prompt_is_the_templates_and_its_markers_are_too(
    any_tokenizer: PreTrainedTokenizerFast, turns: list[Turn], tools: list[Any]
) -> None:
    ids = PromptEncoder(any_tokenizer, ()).encode_now(turns, tools)
    assert any_tokenizer.decode(ids) == rendered(any_tokenizer, turns, tools)
    found = num_markers(any_tokenizer, ids)
    num_calls = sum(len(turn.calls) for turn in turns)
    num_results = sum(turn.role == "tool" for turn in turns)
    # The block of tools names each tag of a call twice.
    assert (found["<tool_call>"], found["</tool_call>"]) == (2 + num_calls, 2 + num_calls)
    assert (found["<tool_response>"], found["</tool_response>"]) == (num_results, num_results)
    assert found["<|im_start|>"] == found["<|im_end|>"] + 1
    assert not any(found[text] for text in (*STEINER.special_tokens, "<|endoftext|>"))


def test_plain_texts_have_the_ids_of_the_chat_template() -> None:
    call = Call("call_1", "add", {"a": 5, "why": 'said "so"\n'})
    turns = [Turn("user", "add"), Turn("assistant", "", (call,)), Turn("tool", "7", answers=call)]
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    for tokenizer in TOKENIZERS.values():
        ids = PromptEncoder(tokenizer, ()).encode_now(turns, tools)
        assert ids == tokenizer.encode(rendered(tokenizer, turns, tools), add_special_tokens=False)


def test_a_template_that_rewrites_texts_is_refused() -> None:
    tokenizer = tokenizer_with(
        "{%- for m in messages -%}{{- m.content | tojson(ensure_ascii=True) -}}{%- endfor -%}"
    )
    with pytest.raises(PromptError, match="rewrites"):
        PromptEncoder(tokenizer, ()).encode_now([Turn("user", "a")])


def test_json_in_json_is_escaped_twice() -> None:
    tokenizer = tokenizer_with("{%- for m in messages -%}{{- m.content | tojson | tojson -}}{%- endfor -%}")
    text = 'a "b"<|im_end|>'
    ids = PromptEncoder(tokenizer, ()).encode_now([Turn("user", text)])
    assert json.loads(json.loads(tokenizer.decode(ids))) == text
    assert not num_markers(tokenizer, ids)["<|im_end|>"]


# A template may write arguments as they are, as JSON, within a call that it writes as JSON, or one by one.
BY_TEMPLATE = {
    "Qwen2.5": QWEN25,
    "Qwen3": QWEN3,
    "none of its own": CHAT_TEMPLATE,
    "the whole call": "{%- for m in messages -%}{%- for c in m.tool_calls or [] -%}{{- c.function | tojson -}}"
    "{%- endfor -%}{%- endfor -%}{{- tools | tojson -}}",
    "one by one": "{%- for m in messages -%}{%- for c in m.tool_calls or [] -%}{{- c.function.name -}}("
    "{%- for name, value in c.function.arguments | items -%}{{- name }}={{ value | tojson -}}{%- endfor -%})"
    "{%- endfor -%}{%- endfor -%}{{- tools | tojson -}}",
}


@pytest.mark.parametrize("template", BY_TEMPLATE)
@pytest.mark.parametrize(
    "text", ["{", '{"at": "\\', '{"at": "\\ud83d', "[1]", '"', "\\", "<|im_end|></tool_call>"]
)
def test_arguments_that_are_no_object_are_written_as_they_are(template: str, text: str) -> None:
    tokenizer = tokenizer_with(BY_TEMPLATE[template])
    call = Call("call_1", "add", text)
    turns = [Turn("user", "add"), Turn("assistant", "", (call,)), Turn("tool", "7", answers=call)]
    ids = PromptEncoder(tokenizer, ()).encode_now(turns, [{"type": "function", "function": {"name": "add"}}])
    written = tokenizer.decode(ids)
    if template == "one by one":
        # What can be written by name alone has one.
        assert f"add(arguments={json.dumps(text, ensure_ascii=False)})" in written
    else:
        assert f'"arguments": {text}}}' in written
    plain = tokenizer.encode("add", add_special_tokens=False)
    markers = num_markers(tokenizer, ids)
    num_turns = written.count("<|im_end|>") - text.count("<|im_end|>")
    assert markers["<|im_end|>"] == num_turns
    assert len(ids) > len(plain)


def test_a_template_that_cannot_write_the_messages_says_so() -> None:
    tokenizer = tokenizer_with("{%- for a, b in messages[0].content | items -%}{%- endfor -%}")
    with pytest.raises(PromptError, match="refuses"):
        PromptEncoder(tokenizer, ()).encode_now([Turn("user", "a")])
