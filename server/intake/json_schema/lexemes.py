"""The words of a JSON text as conditions on whole lexemes, and questions that llguidance answers about them.

Imports llguidance late, as the engine imports vllm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from steiner.server.intake.json_schema.patterns import ANYTHING, Condition
from steiner.server.intake.json_schema.string_content import json_content
from steiner.server.intake.json_schema.trial import byte_vocabulary, first_line, started, try_out


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
    """Whether a string's content keeps to conditions; in time that is linear in the text.

    Raises:
        ValueError: llguidance cannot compile or follow them; the message says why.
    """
    if not conditions:
        return True
    matcher = _matcher(conditions).deep_copy()
    told = list(f'"{json_content(text)}"'.encode())
    num_taken = matcher.try_consume_tokens(told)
    if matcher.is_error():
        raise ValueError(first_line(matcher.get_error()))
    return bool(num_taken == len(told) and matcher.is_accepting())


@lru_cache(maxsize=256)
def _matcher(conditions: tuple[Condition, ...]) -> Any:
    lexeme = string_lexeme((Condition(ANYTHING), *conditions))
    return started(f"start: WORD\nWORD: {lexeme.lark()}", byte_vocabulary())


@lru_cache(maxsize=4096)
def is_empty(lexeme: Lexeme) -> bool:
    """Whether nothing fits a lexeme.

    Raises:
        ValueError: llguidance cannot compile or follow it; the message says why.
    """
    grammar = f"start: WORD\nWORD: {lexeme.lark()}"
    if not first_bytes(grammar):
        return True
    if len(lexeme.conditions) > 1:
        try_out(grammar)
    return False


@lru_cache(maxsize=1024)
def try_together(lexemes: tuple[Lexeme, ...]) -> None:
    """Walk through lexemes any of which may come.

    Raises:
        ValueError: llguidance cannot follow them all at once; the message says why.
    """
    words = [f"WORD{index}: {lexeme.lark()}" for index, lexeme in enumerate(lexemes)]
    names = " | ".join(f"WORD{index}" for index in range(len(words)))
    try_out("\n".join([f"start: {names}", *words]))


def first_bytes(grammar: str) -> frozenset[int]:
    """The bytes that a text of a grammar may begin with.

    Raises:
        ValueError: llguidance does not take the grammar; the message says why.
    """
    import llguidance.numpy
    import numpy

    matcher = started(grammar, byte_vocabulary())
    bits = llguidance.numpy.allocate_token_bitmask(1, byte_vocabulary().vocab_size)
    llguidance.numpy.fill_next_token_bitmask(matcher, bits, 0)
    if matcher.is_error():
        return frozenset()
    flags = numpy.unpackbits(bits[0].view(numpy.uint8), bitorder="little")[:256]
    return frozenset(numpy.flatnonzero(flags).tolist())
