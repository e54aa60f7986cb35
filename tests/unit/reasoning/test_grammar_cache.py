"""Grammars are written and compiled once a policy: a second request with an equal one finds both done."""

from typing import Any

import pytest
import xgrammar

from steiner.reasoning.automaton import State
from steiner.reasoning.grammar import compile_grammar
from steiner.reasoning.policy import Policy

LIMITS: dict[str, Any] = {"max_steps": 7, "section_tokens": {"summary": 9, "next_step": 8}}


@pytest.fixture(scope="module")
def compiler(tokenizer: Any, bound: Any) -> Any:
    """As vLLM has one, for all requests of an engine."""
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=bound.vocab_size)
    return xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=True)


@pytest.mark.parametrize(
    "again",
    [
        LIMITS,
        {"section_tokens": {"next_step": 8, "summary": 9}, "max_steps": 7},
        # Not the grammar's to keep.
        {**LIMITS, "max_reasoning_tokens": 500},
        {**LIMITS, "refute_repeats": False},
    ],
    ids=["same", "other order", "budget", "repeats"],
)
def test_a_second_request_with_an_equal_policy_compiles_nothing(
    again: dict[str, Any], compiler: Any, bound: Any
) -> None:
    text = compile_grammar(bound, Policy(**LIMITS))
    compiler.compile_grammar(text)
    num_bytes = compiler.get_cache_size_bytes()
    assert num_bytes > 0
    assert compile_grammar(bound, Policy(**again)) is text
    compiler.compile_grammar(compile_grammar(bound, Policy(**again)))
    assert compiler.get_cache_size_bytes() == num_bytes


def test_another_policy_or_start_is_compiled(compiler: Any, bound: Any) -> None:
    compiler.compile_grammar(compile_grammar(bound, Policy(**LIMITS)))
    for policy, start in [
        (Policy(**LIMITS | {"max_steps": 6}), None),
        (Policy(**LIMITS), State("decision", section=3, num_steps=2, verdict="verified")),
    ]:
        num_bytes = compiler.get_cache_size_bytes()
        compiler.compile_grammar(compile_grammar(bound, policy, start))
        assert compiler.get_cache_size_bytes() > num_bytes
