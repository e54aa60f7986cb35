"""Thoughts between two tokens: which tokenizers have them, and what the parser reads."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import Protocol
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.protocols.think import THINK
from steiner.reasoning.tree.text_tree import draw_tree

R1_END = "<\uff5cend\u2581of\u2581sentence\uff5c>"


def tokenizer_with(
    special: tuple[str, ...], ordinary: tuple[str, ...], eos: str | None
) -> PreTrainedTokenizerFast:
    """Byte-level BPE; the ordinary added tokens are not called special, as in Qwen3's and R1's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(BPE({char: index for index, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in ordinary])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos)


def thinking(eos: str = "<|im_end|>") -> PreTrainedTokenizerFast:
    return tokenizer_with(("<|im_start|>", eos), ("<tool_call>", *THINK.special_tokens), eos)


@pytest.mark.parametrize("eos", ["<|im_end|>", R1_END])
def test_the_end_of_turn_is_the_tokenizers(eos: str) -> None:
    tokenizer = thinking(eos)
    assert detect_protocol(tokenizer) is THINK is PROTOCOLS["think"]
    bound = THINK.bind(tokenizer)
    assert bound.end_of_turn_id == tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids(eos)


def test_its_tokens_are_markers_though_no_tokenizer_calls_them_special() -> None:
    tokenizer = thinking()
    bound = THINK.bind(tokenizer)
    markers = {bound.reasoning_start_id, bound.reasoning_end_id}
    assert markers.isdisjoint(tokenizer.all_special_ids)
    assert markers < bound.special_ids
    # A token of tools has no part in the reasoning and may stand in a text.
    assert tokenizer.convert_tokens_to_ids("<tool_call>") not in bound.special_ids


@pytest.mark.parametrize("protocol", [STEINER, STEINER_PREVIEW])
def test_a_tokenizer_with_steps_is_no_mere_thinker(protocol: Protocol) -> None:
    special = (*protocol.special_tokens, "<|im_end|>")
    assert detect_protocol(tokenizer_with(special, THINK.special_tokens, "<|im_end|>")) is protocol


def test_without_an_end_of_sequence_there_is_no_end_of_turn() -> None:
    tokenizer = tokenizer_with((), THINK.special_tokens, None)
    with pytest.raises(MissingTokenError, match="an end of sequence") as refusal:
        THINK.bind(tokenizer)
    assert refusal.value.missing == ("an end of sequence",)


def test_a_thought_is_one_step_of_one_section() -> None:
    tokenizer = thinking()
    bound = THINK.bind(tokenizer)
    ids = tokenizer.encode("<think>7.70 > 7.13</think>7.7<|im_end|>", add_special_tokens=False)
    parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
    parser.feed(ids)
    (step,) = parser.trace.steps
    assert [(section.role, section.text) for section in step.sections] == [("thought", "7.70 > 7.13")]
    assert (step.num_tokens, parser.num_reasoning_tokens, parser.num_violations) == (11, 11, 0)
    assert draw_tree(parser.trace).splitlines()[1] == "`- 1 ? 7.70 > 7.13"
    automaton = Automaton(bound, Policy())
    state = automaton.initial
    for token_id in ids:
        state = automaton.advance(state, token_id)
    assert state.phase == "done"


@pytest.mark.parametrize(
    ("text", "num_violations", "num_steps"),
    [
        ("<think></think>7.7<|im_end|>", 0, 0),
        ("<think>a<think>b</think>7.7<|im_end|>", 1, 1),
        ("<think>a<|im_start|>b</think>7.7<|im_end|>", 1, 1),
        ("<think>a</think>7.7</think><|im_end|>", 1, 1),
        ("<think>ab<|im_end|>", 1, 1),
        ("7.7<|im_end|>", 1, 0),
    ],
)
def test_a_free_model_is_followed(text: str, num_violations: int, num_steps: int) -> None:
    tokenizer = thinking()
    parser = Parser(THINK.bind(tokenizer), section_texts(tokenizer.backend_tokenizer))
    parser.feed(tokenizer.encode(text, add_special_tokens=False))
    trace = parser.trace
    assert (trace.num_violations, len(trace.steps)) == (num_violations, num_steps)
    assert trace.answer in ("7.7", "")
    if num_steps:
        (section,) = trace.steps[0].sections
        assert section.text in ("a", "ab")
        assert trace.steps[0].interrupted == (not trace.answer)
