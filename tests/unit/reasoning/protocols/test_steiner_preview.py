"""The released preview's protocol, on a tokenizer built with its 14 tokens where Qwen2.5's vocabulary ends."""

import random
import re
from pathlib import Path

import pytest
from tests.grammar_mask import Mask
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.errors import MissingTokenError
from steiner.reasoning.events import Backtracked
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import enforced_policy
from steiner.reasoning.parser import Parser
from steiner.reasoning.parser.decoding import section_texts
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols import PROTOCOLS, detect_protocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW
from steiner.reasoning.steps import Backtrack, End, Proceed

QWEN_IDS = 151_665
LOGIT_ROWS = 151_680
SAMPLE = Path(__file__).with_name("steiner_preview_sample.txt")
"""A reconstruction, not the model's own words: the author's report could not be had in full.

It has the layout of the sample that the report prints, which compares 7.7 and 7.13: the same 13 of the 14 tokens in the
same order, without a backtrack, and with the blank lines and indentation that the author added for reading.
https://medium.com/@peakji/a-small-step-towards-reproducing-openai-o1-b9a756a00855
"""


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


@pytest.mark.slow
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
    automaton, rng = Automaton(bound, enforced_policy(policy)), random.Random(3)
    text_ids = [i for i in range(LOGIT_ROWS) if automaton.is_text(i)]
    for _ in range(3):
        mask = Mask(tokenizer, compile_grammar(bound, policy), LOGIT_ROWS)
        state = automaton.initial
        while state.phase != "done":
            allowed = automaton.allowed(state)
            expected = set(allowed.ids) | (set(text_ids) if allowed.text else set())
            assert mask.ids() == expected
            candidates = [*sorted(allowed.ids), *([rng.choice(text_ids)] if allowed.text else [])]
            token_id = rng.choice(candidates)
            assert mask.accept(token_id)
            state = automaton.advance(state, token_id)


def test_a_backtrack_leads_to_an_unknown_place(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)

    def step(title: str) -> str:
        texts = (title, "think", "sum", "look")
        sections = zip(STEINER_PREVIEW.sections, texts, strict=True)
        joined = "".join(f"{section.start}{text}{section.end}" for section, text in sections)
        return f"{STEINER_PREVIEW.step_start}{joined}{STEINER_PREVIEW.step_end}"

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


def sample_text() -> str:
    """As the model writes it: nothing stands between two tokens, or between a token and its text."""
    text = re.sub(r"\s*(<\|[a-z_]+\|>)\s*", r"\1", SAMPLE.read_text().strip())
    return f"{text}<|im_end|>"


def sample_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    ids: list[int] = tokenizer.encode(sample_text(), add_special_tokens=False)
    return ids


def test_the_sample_has_every_token_but_the_backtrack(tokenizer: PreTrainedTokenizerFast) -> None:
    markers = set(STEINER_PREVIEW.special_tokens)
    found = {token for token in markers if tokenizer.convert_tokens_to_ids(token) in sample_ids(tokenizer)}
    assert markers - found == {"<|reasoning_backtrack|>"}


def test_the_sample_is_read_into_a_typed_trace(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)
    parser = Parser(bound, section_texts(tokenizer.backend_tokenizer))
    parser.feed(sample_ids(tokenizer))
    parser.close("stop")
    trace = parser.trace
    assert (trace.num_violations, trace.ended_by, trace.finish_reason) == (0, "model", "stop")
    assert [(step.id, step.depth, step.parent) for step in trace.steps] == [(1, 1, 0), (2, 2, 1)]
    assert [step.decision for step in trace.steps] == [Proceed(), End()]
    assert {step.verdict for step in trace.steps} == {None}
    for step in trace.steps:
        assert [(section.name, section.role) for section in step.sections] == [
            ("name", "next_step"),
            ("thought", "understanding"),
            ("summary", "summary"),
            ("reflection", "verification"),
        ]
    assert [step.text_of("next_step") for step in trace.steps] == [
        "Line up the decimal places",
        "Compare the tenths",
    ]
    assert trace.conclusions() == (
        "I write both numbers with two decimal places.",
        "The tenths decide: 7 against 1.",
    )
    assert trace.answer.startswith("7.7 is larger than 7.13")


def test_automaton_and_grammar_take_the_sample(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)
    automaton = Automaton(bound, Policy())
    state = automaton.initial
    mask = Mask(tokenizer, compile_grammar(bound, Policy()), LOGIT_ROWS)
    for token_id in sample_ids(tokenizer):
        state = automaton.advance(state, token_id)
        assert mask.accept(token_id)
    assert (state.phase, mask.has_ended) == ("done", True)


def test_the_order_of_the_ids_does_not_matter() -> None:
    """Which of the last eight tokens has which id is not known; they are found by their names."""
    frame, around = STEINER_PREVIEW.special_tokens[:6], STEINER_PREVIEW.special_tokens[6:]
    traces = []
    for order in (around, around[::-1]):
        tokenizer = tokenizer_with((*frame, *order), 300)
        parser = Parser(STEINER_PREVIEW.bind(tokenizer), section_texts(tokenizer.backend_tokenizer))
        parser.feed(sample_ids(tokenizer))
        traces.append(parser.trace)
    assert traces[0] == traces[1]
    assert traces[0].num_violations == 0


def test_the_spare_row_is_never_sampled(tokenizer: PreTrainedTokenizerFast) -> None:
    bound = STEINER_PREVIEW.bind(tokenizer)
    automaton = Automaton(bound, Policy())
    assert bound.vocab_size == LOGIT_ROWS - 1
    assert automaton.is_text(0)
    assert not automaton.is_text(LOGIT_ROWS - 1)
