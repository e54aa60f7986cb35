"""Our grammars as vLLM follows them: drafts of speculative decoding, the end of the turn, and very long reasoning."""

from __future__ import annotations

import random
import statistics
import time
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, grammar_from
from llguidance.hf import from_tokenizer
from llguidance.torch import allocate_token_bitmask
from vllm.v1.structured_output.backend_guidance import GuidanceGrammar

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.grammar.grammar import enforced_policy
from steiner.reasoning.policy import Policy

from .conftest import Spoken

POLICY = Policy(max_section_tokens=3)
LONG = Policy(max_steps=5000, max_depth=64, max_backtracks=5000, max_section_tokens=1024)
LONG_TOKENS = 20_000
PADDING_ROWS = 7


@lru_cache(maxsize=16)
def engine_tokenizer(spoken: Spoken) -> LLTokenizer:
    return from_tokenizer(spoken.tokenizer, len(spoken.tokenizer) + PADDING_ROWS)


def grammar_of(spoken: Spoken, policy: Policy) -> GuidanceGrammar:
    tokenizer = engine_tokenizer(spoken)
    text = grammar_from("grammar", compile_grammar(spoken.bound, policy))
    return GuidanceGrammar(LLMatcher(tokenizer, text), tokenizer, tokenizer.vocab_size)


def mask(grammar: GuidanceGrammar) -> npt.NDArray[np.bool_]:
    """For each row of the logits, whether it may be sampled."""
    bits = allocate_token_bitmask(1, grammar.vocab_size)
    grammar.fill_bitmask(bits, 0)
    flags = np.unpackbits(bits[0].numpy().view(np.uint8), bitorder="little")
    return flags[: grammar.vocab_size].astype(bool)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), num_drafts=st.integers(1, 8))
def test_drafts_are_checked_and_taken_back(seed: int, num_drafts: int, spoken: Spoken, walker: Any) -> None:
    """What vLLM does with a draft: it keeps the legal tokens, masks behind each, goes back, and takes what was sampled.

    Of the tokenizer's own end of a sequence llguidance says that it may not come here, so that a draft stops before it.
    """
    bound, rng = spoken.bound, random.Random(seed)
    token_ids = walker(Automaton(bound, enforced_policy(POLICY)), seed).walk().token_ids
    grammar, at = grammar_of(spoken, POLICY), 0
    while at < len(token_ids):
        draft = token_ids[at : at + num_drafts]
        before = mask(grammar)
        wrong = rng.choice(np.flatnonzero(~before).tolist())
        assert grammar.validate_tokens([wrong, *draft]) == []
        is_cut = draft[-1] == bound.end_of_turn_id == spoken.tokenizer.eos_token_id
        legal = grammar.validate_tokens(draft)
        assert legal == (draft[:-1] if is_cut else draft)
        for token_id in legal:
            assert mask(grammar)[token_id]
            assert grammar.accept_tokens("request", [token_id])
        if legal:
            grammar.rollback(len(legal))
        assert np.array_equal(mask(grammar), before)
        num_taken = rng.randint(1, len(draft))
        assert grammar.accept_tokens("request", draft[:num_taken])
        at += num_taken
    assert grammar.ll_matcher.is_stopped()
    assert not grammar.ll_matcher.get_error()


def test_the_end_of_the_turn_is_the_end(spoken: Spoken, walker: Any) -> None:
    token_ids = walker(Automaton(spoken.bound, enforced_policy(POLICY)), 1).walk().token_ids
    grammar = grammar_of(spoken, POLICY)
    for token_id in token_ids:
        assert not grammar.ll_matcher.is_stopped()
        assert grammar.accept_tokens("request", [token_id])
    assert grammar.ll_matcher.is_stopped()
    # vLLM ends the request at its stop token; until then it would be shown this.
    assert np.flatnonzero(mask(grammar)).tolist() == [spoken.tokenizer.eos_token_id]
    assert not grammar.ll_matcher.get_error()


@pytest.mark.parametrize("section_tokens", [1, 200])
def test_a_token_costs_the_same_however_long_the_reasoning(section_tokens: int, digits: Spoken) -> None:
    """Twenty thousand tokens, down to depth 64 and back again and again; about 400 bytes a token are kept."""
    token_ids = long_search(Automaton(digits.bound, enforced_policy(LONG)), section_tokens)
    grammar = grammar_of(digits, LONG)
    bits = allocate_token_bitmask(1, grammar.vocab_size)
    process, spent_s = psutil.Process(), []
    num_bytes = process.memory_info().rss
    for token_id in token_ids:
        begin_s = time.thread_time()
        grammar.fill_bitmask(bits, 0)
        assert grammar.accept_tokens("request", [token_id])
        spent_s.append(time.thread_time() - begin_s)
    assert grammar.ll_matcher.is_stopped()
    first, last = statistics.median(spent_s[:2000]), statistics.median(spent_s[-2000:])
    assert last < 1.5 * first
    assert process.memory_info().rss - num_bytes < 1000 * len(token_ids)


def long_search(automaton: Automaton, section_tokens: int) -> list[int]:
    """Proceeds as deep as it may, goes back to depth 1, and so on; at last it answers."""
    bound = automaton.bound
    state = automaton.initial
    token_ids: list[int] = []
    while state.phase != "done":
        allowed = automaton.allowed(state)
        wanted = bound.reasoning_end_id if len(token_ids) > LONG_TOKENS else bound.proceed_id
        refutes = len(token_ids) <= LONG_TOKENS and state.depth == LONG.max_depth
        verdict_id = bound.refuted_id if refutes else bound.verified_id
        if allowed.text and state.num_text < section_tokens:
            token_id = 5
        elif state.phase == "depth" and not state.spelled:
            token_id = bound.depth_ids[1][0]
        else:
            preferred = (wanted, verdict_id, bound.step_start_id)
            token_id = next((i for i in preferred if i in allowed.ids), min(allowed.ids))
        token_ids.append(token_id)
        state = automaton.advance(state, token_id)
    return token_ids
