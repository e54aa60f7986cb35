"""No marker inside an answer that is held to a format, whatever the tokenizer has it as: masks and biases together."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from tests.grammar_mask import Mask
from tests.property.conftest import END_OF_TURN, Spoken
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.policy import MAX_BIAS
from steiner.reasoning.protocol import Protocol, SectionMarkers
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK
from steiner.server.api.chat.request import ChatRequest
from steiner.server.conductor.assignment import AnswerFormat
from steiner.server.conductor.requests import answer_request
from steiner.server.engine.base import Sampling, TokenRequest
from steiner.server.intake.answer_grammar import json_grammar
from steiner.server.intake.tools.grammar import tool_answer
from steiner.server.intake.tools.use import resolve_tool_use

Kind = Literal["special", "added", "vocabulary"]

FUNCTION = {
    "type": "function",
    "function": {
        "name": "say",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    },
}
CALL = '<tool_call>\n{"name": "say", "arguments": '
SCHEMAS: dict[str, tuple[object, list[str]]] = {
    "object": ({"type": "object"}, ['{"a":"x', '{"<thin', '{"[THIN', '{"a":["', '{"a":{"', '{"a":"\\u00']),
    "string": ({"type": "string"}, ['"x', '"<thin', '"[THIN', '"◁']),
    "pattern": ({"type": "string", "pattern": "^[^a]*$"}, ['"x', '"<', '"[']),
    "anything": (True, ['"', '["', '{"']),
    "constant": ({"const": "<think>[THINK]x"}, ['"', '"<', '"<think>', '"<think>[THINK]x']),
    "excluded": ({"type": "string", "not": {"const": "ab"}}, ['"', '"a']),
}
TOOLS: dict[tuple[str, str | None], list[str]] = {
    ("auto", None): ["x<", "x[", CALL + '{"a":"x'],
    ("required", None): [CALL + '{"a":"'],
    ("none", None): ["x<", "x["],
    ("auto", '{"type":"object"}'): ['{"a":"x', CALL + '{"a":"'],
}


def formats() -> list[tuple[str, AnswerFormat, list[str]]]:
    """Each with texts that it can begin with."""
    held = [
        (name, AnswerFormat(name, json_grammar(schema)), beginnings)
        for name, (schema, beginnings) in SCHEMAS.items()
    ]
    for (choice, schema), beginnings in TOOLS.items():
        body = ChatRequest.model_validate(
            {
                "messages": [{"role": "user", "content": "a"}],
                "tools": [FUNCTION],
                "tool_choice": choice,
            }
        )
        use = resolve_tool_use(body.tools, body.tool_choice, body.parallel_tool_calls)
        assert use is not None
        answer = tool_answer(use, None if schema is None else json.loads(schema))
        assert answer is not None
        held.append((f"tools {choice} {schema}", answer, beginnings))
    return held


FORMATS = formats()


def thinking(start: str, end: str) -> Protocol:
    """One step between two markers."""
    return Protocol(
        name="thinking",
        reasoning_start=start,
        reasoning_end=end,
        sections=(SectionMarkers("thought", "thought"),),
    )


def spoken(protocol: Protocol, kind: Kind) -> Spoken:
    """Byte-level BPE without merges, that has the markers in one of the ways in which published tokenizers do."""
    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    if kind == "vocabulary":
        pieces += protocol.special_tokens
    backend = Tokenizer(BPE({piece: token_id for token_id, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken(END_OF_TURN, special=True, normalized=False)])
    if kind != "vocabulary":
        backend.add_tokens(
            [
                AddedToken(token, special=kind == "special", normalized=False)
                for token in protocol.special_tokens
            ]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END_OF_TURN)
    return Spoken(tokenizer, protocol.bind(tokenizer))


def spelled(text: str) -> list[int]:
    """A text in the tokens of its bytes, which are the first of each vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [alphabet.index(letter) for piece, _ in level.pre_tokenize_str(text) for letter in piece]


def leaks_of(spoken: Spoken, answer: AnswerFormat, beginnings: list[str]) -> tuple[set[int], set[int]]:
    """Markers that the grammar alone lets into the answer, and all that it lets in."""
    grammar = request_of(spoken, answer).grammar
    assert grammar is not None
    leaks: set[int] = set()
    allowed: set[int] = set()
    for beginning in beginnings:
        mask = Mask(spoken.tokenizer, grammar, len(spoken.tokenizer) + 7)
        for token_id in spelled(beginning):
            allowed |= mask.ids()
            assert mask.accept(token_id), beginning
        allowed |= mask.ids()
    leaks = allowed & spoken.bound.special_ids - {spoken.bound.end_of_turn_id}
    return leaks, allowed


def request_of(spoken: Spoken, answer: AnswerFormat) -> TokenRequest:
    left = spelled("x")[0]
    plain = TokenRequest(
        request_id="r", prompt_ids=[1], max_tokens=9, sampling=Sampling(), stop_ids=(), logit_bias={left: 2.0}
    )
    return answer_request(plain, spoken.bound, answer)


@pytest.mark.parametrize("named", FORMATS, ids=lambda named: named[0])
@pytest.mark.parametrize("kind", ["special", "added", "vocabulary"])
@pytest.mark.parametrize(
    "protocol",
    [
        STEINER,
        STEINER_PREVIEW,
        THINK,
        thinking("[THINK]", "[/THINK]"),
        thinking("◁think▷", "◁/think▷"),
        thinking("<|think|>", "<|/think|>"),
        thinking("think:", ":think"),
    ],
    ids=lambda protocol: f"{protocol.name} {protocol.reasoning_start}",
)
def test_none_can_be_sampled(protocol: Protocol, kind: Kind, named: Any) -> None:
    _, answer, beginnings = named
    model = spoken(protocol, kind)
    leaks, allowed = leaks_of(model, answer, beginnings)
    assert allowed - model.bound.special_ids
    biases = request_of(model, answer).logit_bias
    kept_out = {token_id for token_id, bias in biases.items() if bias == -MAX_BIAS}
    assert leaks <= kept_out <= model.bound.special_ids - {model.bound.end_of_turn_id}
    assert biases[spelled("x")[0]] == 2.0


@pytest.mark.parametrize("protocol", [STEINER, STEINER_PREVIEW, THINK], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("kind", ["special", "added"])
def test_published_models_need_no_bias(protocol: Protocol, kind: Kind) -> None:
    model = spoken(protocol, kind)
    assert set(request_of(model, FORMATS[0][1]).logit_bias) == {spelled("x")[0]}


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(thinking("[THINK]", "[/THINK]"), "added"), (THINK, "vocabulary")],
    ids=["added", "vocabulary"],
)
def test_a_grammar_alone_would_let_them_in(protocol: Protocol, kind: Kind) -> None:
    model = spoken(protocol, kind)
    _, answer, beginnings = FORMATS[1]
    leaks, _ = leaks_of(model, answer, beginnings)
    assert leaks
