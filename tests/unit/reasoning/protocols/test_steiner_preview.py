"""The released preview's protocol, on a tokenizer built with its 14 tokens where Qwen2.5's vocabulary ends."""

import random

import pytest
import torch
import xgrammar
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.decoding import section_texts
from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.events import Backtracked
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.parser import Parser
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.steps import Backtrack

QWEN_IDS = 151_665
LOGIT_ROWS = 151_680


def tokenizer_with(markers: tuple[str, ...], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with `size` ids before the markers."""
    turns = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"w{number}" for number in range(size - len(letters) - len(turns)))]
    backend = Tokenizer(BPE({piece: index for index, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*turns, *markers)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer_with(STEINER_PREVIEW.special_tokens, QWEN_IDS)


def test_its_fourteen_tokens_follow_qwens(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer.convert_tokens_to_ids(list(STEINER_PREVIEW.special_tokens))
    assert ids == list(range(QWEN_IDS, QWEN_IDS + 14))


def test_a_protocol_is_detected_by_its_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert detect_protocol(tokenizer) is STEINER_PREVIEW
    assert detect_protocol(tokenizer_with(STEINER.special_tokens, 300)) is STEINER
    assert PROTOCOLS["steiner-preview"] is STEINER_PREVIEW


def test_a_tokenizer_of_neither_is_refused_with_what_is_missing() -> None:
    with pytest.raises(MissingTokenError, match="reasoning_start"):
        detect_protocol(tokenizer_with((), 300))


@pytest.mark.parametrize(
    "policy",
    [
        Policy(max_section_tokens=4, max_steps=6),
        Policy(min_steps=3, max_steps=8, max_depth=4, max_backtracks=1, max_section_tokens=6),
    ],
)
def test_the_grammar_allows_what_the_automaton_allows(
    tokenizer: PreTrainedTokenizerFast, policy: Policy
) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)
    info = xgrammar.TokenizerInfo.from_huggingface(
        tokenizer, vocab_size=LOGIT_ROWS, stop_token_ids=[bound.end_of_turn_id]
    )
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(compile_grammar(bound, policy))
    automaton, rng = Automaton(bound, policy), random.Random(3)
    text_ids = [i for i in range(LOGIT_ROWS) if automaton.is_text(i)]
    for _ in range(3):
        matcher = xgrammar.GrammarMatcher(compiled, override_stop_tokens=[bound.end_of_turn_id])
        state = automaton.initial
        while state.phase != "done":
            allowed = automaton.allowed(state)
            mask = xgrammar.allocate_token_bitmask(1, LOGIT_ROWS)
            matcher.fill_next_token_bitmask(mask)
            legal = (mask[0].unsqueeze(-1) >> torch.arange(32, dtype=torch.int32)) & 1
            expected = set(allowed.ids) | (set(text_ids) if allowed.text else set())
            assert set(legal.flatten().nonzero().flatten().tolist()) == expected
            candidates = [*sorted(allowed.ids), *([rng.choice(text_ids)] if allowed.text else [])]
            token_id = rng.choice(candidates)
            assert matcher.accept_token(token_id)
            state = automaton.advance(state, token_id)


def test_a_backtrack_leads_to_an_unknown_place(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)

    def step(title: str) -> str:
        texts = (title, "think", "sum", "look")
        return (
            STEINER_PREVIEW.step_start
            + "".join(s.start + text + s.end for s, text in zip(STEINER_PREVIEW.sections, texts, strict=True))
            + STEINER_PREVIEW.step_end
        )

    text = (
        f"{STEINER_PREVIEW.reasoning_start}{step('a')}{STEINER_PREVIEW.proceed}{step('b')}"
        f"{STEINER_PREVIEW.backtrack}{step('c')}{STEINER_PREVIEW.reasoning_end}7.7<|im_end|>"
    )
    parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
    events = parser.feed(tokenizer.encode(text, add_special_tokens=False))
    trace = parser.trace
    assert trace.num_violations == 0
    assert [(step.depth, step.parent) for step in trace.steps] == [(1, 0), (2, 1), (None, None)]
    assert trace.steps[1].decision == Backtrack(to_depth=None)
    assert [(e.to_depth, e.to_step) for e in events if isinstance(e, Backtracked)] == [(None, None)]
    assert trace.steps[0].text_of("next_step") == "a"
    assert trace.answer == "7.7"
