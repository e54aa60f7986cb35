"""A grammar tried out as an engine will use it: walks through its masks over a vocabulary of words.

llguidance builds the states of a lexer as a mask needs them, and gives up a text in the middle where one mask needs too
many. Here it gets half of what the engine allows it, so that what passes does not end that way.

https://docs.rs/llguidance/latest/llguidance/api/struct.ParserLimits.html
"""

from __future__ import annotations

import random
import string
from functools import cache
from types import SimpleNamespace
from typing import Any

NUM_WORDS = 12_000
NUM_WALKS = 2
NUM_TOKENS = 12
_LIMITS: dict[str, Any] = {
    "max_items_in_row": 1_900,
    "initial_lexer_fuel": 500_000,
    "step_lexer_fuel": 100_000,
    "step_max_items": 100_000,
    "max_lexer_states": 125_000,
    "max_grammar_size": 250_000,
}
"""About half of llguidance's own, which vLLM leaves as they are; twice as many items of one mask, as words of these
mixtures run through twenty times as many as those of a real tokenizer.
"""


def started(grammar: str, tokenizer: Any) -> Any:
    """A matcher of a grammar under the limits.

    Raises:
        ValueError: llguidance does not take the grammar; the message says why.
    """
    import llguidance

    matcher = llguidance.LLMatcher(
        tokenizer,
        llguidance.grammar_from("grammar", grammar),
        log_level=0,
        limits=llguidance.LLParserLimits(**_LIMITS),
    )
    if fault := matcher.get_error():
        raise ValueError(first_line(fault))
    return matcher


def try_out(grammar: str) -> None:
    """Walk through a grammar.

    Raises:
        ValueError: it is too much for an engine, or leads to where nothing may follow; the message says which.
    """
    import llguidance.numpy
    import numpy

    matcher, draw = started(grammar, _vocabulary()), random.Random(1)
    bits = llguidance.numpy.allocate_token_bitmask(1, _vocabulary().vocab_size)
    for _ in range(NUM_WALKS):
        walking = matcher.deep_copy()
        for _ in range(NUM_TOKENS):
            llguidance.numpy.fill_next_token_bitmask(walking, bits, 0)
            if not walking.is_error():
                allowed = numpy.flatnonzero(numpy.unpackbits(bits[0].view(numpy.uint8), bitorder="little"))
                walking.consume_token(int(draw.choice(allowed)))
            if walking.is_error():
                raise ValueError(first_line(walking.get_error()))
            if walking.is_stopped():
                break


def first_line(fault: str) -> str:
    """What a fault is, less the state of the parser that is printed along."""
    return fault.strip().partition("\n")[0][:200]


@cache
def byte_vocabulary() -> Any:
    """A vocabulary of the 256 bytes."""
    import llguidance

    return llguidance.LLTokenizer("byte")


@cache
def _vocabulary() -> Any:
    """The bytes, and words such as tokenizers learn: letters, digits and marks in all mixtures."""
    import llguidance

    draw = random.Random(0)
    alphabets = (
        string.ascii_lowercase,
        string.ascii_letters + " ",
        string.printable,
        "0123456789.-:",
        "äéüñ漢字 ",
    )
    words = {
        "".join(draw.choices(alphabets[number % len(alphabets)], k=draw.randint(2, 9))).encode()
        for number in range(NUM_WORDS)
    }
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(words), b"<|end|>"]
    end = len(tokens) - 1
    wrapped = SimpleNamespace(eos_token_id=end, bos_token_id=None, tokens=tokens, special_token_ids=[end])
    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Bytewise(wrapped)))


class _Bytewise:
    """Spells texts byte by byte; enough for who asks for masks alone."""

    def __init__(self, vocabulary: SimpleNamespace) -> None:
        self.__dict__.update(vocabulary.__dict__)

    def __call__(self, text: bytes) -> list[int]:
        return list(text)
