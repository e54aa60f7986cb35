"""Walks through a grammar of llguidance over the bytes: what it lets a model write, and which texts it takes."""

import random

import llguidance
import llguidance.numpy
import numpy as np
from llguidance import LLMatcher, LLTokenizer

from steiner.server.intake.answer_grammar import json_grammar

MAX_BYTES = 600
#: From here on a walk closes what it can, so that it comes to an end.
CLOSING_FROM = 150
CLOSING = frozenset(b'"]}')


class ByteGrammar:
    """A grammar with the rule `answer`, over a vocabulary of the 256 bytes.

    Raises:
        ValueError: llguidance does not take it.
    """

    _tokenizer: LLTokenizer | None = None

    def __init__(self, grammar: str) -> None:
        self._start(llguidance.grammar_from("grammar", f"start: answer\n{grammar}"))

    @classmethod
    def of_schema(cls, schema: object) -> "ByteGrammar":
        """JSON that fits a schema, by the server's compiler.

        Raises:
            SchemaRefusal: it cannot be enforced.
        """
        return cls(json_grammar(schema))

    @classmethod
    def of_llguidance(cls, grammar: str) -> "ByteGrammar":
        """What llguidance makes of a grammar that is its own."""
        made = cls.__new__(cls)
        made._start(grammar)
        return made

    def _start(self, grammar: str) -> None:
        if ByteGrammar._tokenizer is None:
            ByteGrammar._tokenizer = LLTokenizer("byte")
        self._matcher = LLMatcher(ByteGrammar._tokenizer, grammar, log_level=0)
        if fault := self._matcher.get_error():
            raise ValueError(fault.strip().partition("\n")[0])
        self._end: int = ByteGrammar._tokenizer.eos_token
        self._size: int = ByteGrammar._tokenizer.vocab_size
        self._bits = llguidance.numpy.allocate_token_bitmask(1, self._size)

    def walk(self, draw: random.Random, max_bytes: int = MAX_BYTES) -> str | None:
        """An answer of random weights over bytes; None where it is not at its end in time.

        Raises:
            AssertionError: it leads to where nothing may follow.
        """
        matcher, taken = self._matcher.deep_copy(), bytearray()
        while len(taken) < max_bytes:
            allowed = self._allowed(matcher)
            assert allowed, f"nothing may follow {bytes(taken)!r}: {matcher.get_error()[:200]}"
            token_id = self._drawn(allowed, draw, len(taken))
            if token_id == self._end:
                return taken.decode()
            assert matcher.consume_token(token_id)
            taken.append(token_id)
            if matcher.is_stopped():
                return taken.decode()
        return None

    def takes(self, text: str) -> bool:
        """Whether a text may be the whole answer."""
        matcher = self._matcher.deep_copy()
        for byte in text.encode():
            if matcher.is_stopped() or not matcher.consume_token(byte):
                return False
        return bool(matcher.is_accepting())

    def _allowed(self, matcher: LLMatcher) -> list[int]:
        llguidance.numpy.fill_next_token_bitmask(matcher, self._bits, 0)
        if matcher.is_error():
            return []
        flags = np.unpackbits(self._bits[0].view(np.uint8), bitorder="little")[: self._size]
        found: list[int] = np.flatnonzero(flags).tolist()
        return found

    def _drawn(self, allowed: list[int], draw: random.Random, num_taken: int) -> int:
        """Ends and closing marks are a few bytes of hundreds; taken where they may be, walks get somewhere."""
        if allowed[-1] == self._end and draw.random() < 0.6:
            return self._end
        closing = [byte for byte in allowed if byte in CLOSING]
        if closing and draw.random() < (0.3 if num_taken < CLOSING_FROM else 0.9):
            return draw.choice(closing)
        return draw.choice(allowed)
