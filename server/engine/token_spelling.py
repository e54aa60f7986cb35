"""A single token: its text in context, and its bytes if it is a part of a character."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from steiner.reasoning.answer import AnswerToken, TokenLogprob
from steiner.reasoning.parser.decoding import REPLACEMENT
from steiner.server.engine.base import TokenLogprobs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")
MAX_REMEMBERED = 1 << 16


class Spelled(NamedTuple):
    """Text, with U+FFFD for a part of a character, and bytes."""

    text: str
    bytes: tuple[int, ...]


class TokenSpelling:
    """Spells the tokens of one tokenizer.

    Some decoders drop a space at the beginning of a text or after a line feed, so a token is spelled after the one
    before it. Then the bytes of an answer's tokens join to the answer.

    Args:
        tokenizer: whose tokens.
        marker_ids: text starts afresh after these.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, marker_ids: Iterable[int]) -> None:
        from transformers.convert_slow_tokenizer import bytes_to_unicode

        self._backend = tokenizer.backend_tokenizer
        self._marker_ids = frozenset(marker_ids)
        # The characters with which byte-level vocabularies write bytes.
        self._byte_of: dict[str, int] = {sign: byte for byte, sign in bytes_to_unicode().items()}
        self._neutral: list[int] = self._backend.encode("a", add_special_tokens=False).ids
        self.spell: Callable[[int, int | None], Spelled] = functools.lru_cache(MAX_REMEMBERED)(self._spell)

    def bytes_of(self, token_id: int) -> bytes:
        """What a token adds to a text in whose middle it stands."""
        return bytes(self._spell(token_id, self._neutral[-1]).bytes)

    def answer_token(self, token_id: int, told: TokenLogprobs, previous_id: int | None) -> AnswerToken:
        """The engine's log probabilities of a token, with the tokens spelled out."""
        spelled = self.spell(token_id, previous_id)
        top = tuple(
            TokenLogprob(token=other.text, logprob=logprob, bytes=other.bytes)
            for other, logprob in ((self.spell(one, previous_id), logprob) for one, logprob in told.top)
        )
        return AnswerToken(token=spelled.text, logprob=told.logprob, bytes=spelled.bytes, top_logprobs=top)

    def _spell(self, token_id: int, previous_id: int | None) -> Spelled:
        text = self._text(token_id, previous_id)
        if REPLACEMENT in text:
            piece = self._backend.id_to_token(token_id) or ""
            if byte := BYTE_TOKEN.fullmatch(piece):
                return Spelled(text, (int(byte[1], 16),))
            if all(sign in self._byte_of for sign in piece):
                return Spelled(text, tuple(self._byte_of[sign] for sign in piece))
        return Spelled(text, tuple(text.encode()))

    def _text(self, token_id: int, previous_id: int | None) -> str:
        if previous_id is None or previous_id in self._marker_ids:
            return self._decode([token_id])
        before = self._decode([previous_id])
        if before and REPLACEMENT not in before:
            text = self._decode([previous_id, token_id])
        else:
            # Half a character may become whole with what follows, and U+FFFD does not tell the cases apart.
            before = self._decode(self._neutral)
            text = self._decode([*self._neutral, token_id])
        return text.removeprefix(before) if text.startswith(before) else self._decode([token_id])

    def _decode(self, ids: list[int]) -> str:
        text: str = self._backend.decode(ids, skip_special_tokens=False)
        return text
