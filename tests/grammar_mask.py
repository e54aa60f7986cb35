"""What a grammar lets an engine sample next: llguidance's mask of it, as vLLM asks for it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import llguidance.hf
import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLTokenizer, grammar_from
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

Flags = npt.NDArray[np.bool_]


class Mask:
    """A grammar that is followed token by token.

    Args:
        tokenizer: Hugging Face's.
        grammar: as `structured_outputs.grammar` has it.
        num_rows: of the logits; those behind the tokenizer's last id are padding.

    Raises:
        ValueError: vLLM would refuse the grammar.
    """

    def __init__(self, tokenizer: Any, grammar: str, num_rows: int) -> None:
        serialized = grammar_from("grammar", grammar)
        # vLLM's front end checks without a tokenizer, its engine compiles with one.
        fault = LLMatcher.validate_grammar(serialized, None)
        self.matcher = LLMatcher(_engine_tokenizer(tokenizer, num_rows), serialized, log_level=0)
        if fault or self.matcher.get_error():
            raise ValueError(fault or self.matcher.get_error())
        self._bits = allocate_token_bitmask(1, num_rows)
        self._num_rows = num_rows

    def flags(self) -> Flags:
        """For each row, whether it may be sampled."""
        fill_next_token_bitmask(self.matcher, self._bits)
        assert not self.matcher.get_error()
        bits = np.unpackbits(self._bits[0].view(np.uint8), bitorder="little")
        return bits[: self._num_rows].astype(bool)

    def ids(self) -> set[int]:
        """What may be sampled."""
        return set(np.flatnonzero(self.flags()).tolist())

    def accept(self, token_id: int) -> bool:
        """Go on behind a token; False where it may not come, and then nothing may."""
        return self.matcher.consume_tokens([token_id])

    @property
    def has_ended(self) -> bool:
        """Whether nothing can follow."""
        return self.matcher.is_stopped()


@lru_cache(maxsize=8)
def _engine_tokenizer(tokenizer: Any, num_rows: int) -> LLTokenizer:
    return llguidance.hf.from_tokenizer(tokenizer, max(num_rows, len(tokenizer)))
