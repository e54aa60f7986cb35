"""The words of a JSON text as conditions on whole lexemes, and questions that llguidance answers about them.

Imports llguidance late, as the engine imports vllm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from steiner.server.intake.json_schema.patterns import Condition
from steiner.server.intake.json_schema.string_content import content_of


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A number or a string, by what it must match and what it must not; at least one condition holds."""

    conditions: tuple[Condition, ...]

    def lark(self) -> str:
        """The body of a terminal."""
        ordered = sorted(self.conditions, key=lambda condition: not condition.holds)
        return " & ".join(f"{'' if one.holds else '~'}/{one.regex}/" for one in ordered)


def string_lexeme(conditions: tuple[Condition, ...]) -> Lexeme:
    """The string whose content keeps to conditions."""
    return Lexeme(tuple(Condition(f'"(?:{one.regex})"', one.holds) for one in conditions))


def matches(conditions: tuple[Condition, ...], text: str) -> bool:
    """Whether a string's content keeps to conditions; in time that is linear in the text."""
    both = (Condition(content_of(text)), *conditions)
    return not is_empty(string_lexeme(both))


@lru_cache(maxsize=4096)
def is_empty(lexeme: Lexeme) -> bool:
    """Whether nothing fits a lexeme.

    Raises:
        ValueError: llguidance cannot compile it; the message says why.
    """
    fault, first = first_bytes(f"start: WORD\nWORD: {lexeme.lark()}")
    if fault is not None:
        raise ValueError(fault)
    return not first


def first_bytes(grammar: str) -> tuple[str | None, frozenset[int]]:
    """What is wrong with a grammar, if anything, and the bytes that a text of it may begin with."""
    import llguidance
    import llguidance.torch

    matcher = llguidance.LLMatcher(_tokenizer(), llguidance.grammar_from("grammar", grammar), log_level=0)
    if fault := matcher.get_error():
        return _first_line(fault), frozenset()
    bits = llguidance.torch.allocate_token_bitmask(1, _tokenizer().vocab_size)
    llguidance.torch.fill_next_token_bitmask(matcher, bits, 0)
    if matcher.is_error():
        return None, frozenset()
    words = bits[0].tolist()
    return None, frozenset(byte for byte in range(256) if words[byte // 32] >> (byte % 32) & 1)


def _first_line(fault: str) -> str:
    return fault.strip().partition("\n")[0][:200]


@cache
def _tokenizer() -> Any:
    """A vocabulary of the bytes."""
    import llguidance

    return llguidance.LLTokenizer("byte")
