"""Incremental decoding of one section's ids to text."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

REPLACEMENT = "\ufffd"
# A character has at most four bytes, so a text that still ends in a broken one after so many ids is not text.
LONGEST_HELD = 8
LONGEST_CONTEXT = 8
# How many short runs of ids have their text remembered, over all streams: a few MiB.
NUM_REMEMBERED = 16_384


class SectionDecoder(Protocol):
    """Decodes the ids of one section, or of the answer, as they come."""

    def feed(self, ids: Sequence[int]) -> str:
        """Text that these ids complete, possibly none."""
        ...

    def flush(self, *, cut_off: bool = False) -> str:
        """What was held back; afterwards the decoder is as new.

        Args:
            cut_off: whether the text was cut, so that the beginning of a character is not text.
        """
        ...


class SectionText:
    """Decodes ids as they come; for valid UTF-8, agrees with decoding all of them at once.

    A character whose bytes are incomplete is held back until they are complete, or until `flush`. There it becomes
    U+FFFD, or nothing if the text was cut off inside it.
    The text is the same at any chunking, even for broken bytes: if a chunk does not decode cleanly, its ids are taken
    one by one. Only the last ids are decoded again, so an id costs the same however long the section is.
    """

    __slots__ = ("_context", "_context_text", "_decode", "_held")

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        # Some decoders treat the first id of a text differently, so the last ids are decoded again before new ones.
        self._context: list[int] = []
        self._context_text = ""
        self._held: list[int] = []

    def feed(self, ids: Sequence[int]) -> str:
        """Text that these ids complete, possibly none."""
        if not ids:
            return ""
        said = [*self._context, *self._held, *ids]
        text = self._decode(said)
        if REPLACEMENT not in text and text.startswith(self._context_text):
            new = text[len(self._context_text) :]
            self._say(said)
            return new
        return "".join(map(self._feed_one, ids))

    def flush(self, *, cut_off: bool = False) -> str:
        """What was held back."""
        text = self._held_text()
        self._context, self._context_text, self._held = [], "", []
        return text.rstrip(REPLACEMENT) if cut_off else text

    def _feed_one(self, token_id: int) -> str:
        self._held.append(token_id)
        text = self._held_text()
        if text.endswith(REPLACEMENT) and len(self._held) < LONGEST_HELD:
            return ""
        self._say([*self._context, *self._held])
        return text

    def _held_text(self) -> str:
        if not self._held:
            return ""
        text = self._decode([*self._context, *self._held])
        if text.startswith(self._context_text):
            return text[len(self._context_text) :]
        # Broken bytes may spoil the characters before them, which have been emitted and stay as they are.
        return self._decode(self._held)

    def _say(self, said: list[int]) -> None:
        """Make the shortest clean end of the text so far the context of what follows."""
        self._context, self._context_text, self._held = [], "", []
        for size in range(1, min(len(said), LONGEST_CONTEXT) + 1):
            text = self._decode(said[-size:])
            if REPLACEMENT not in text:
                self._context, self._context_text = said[-size:], text
                # An id that has no text alone may still change what follows, so look for one that has.
                if text:
                    return


class TokenizerBackend(Protocol):
    """The decoding half of a `tokenizers.Tokenizer`."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


def section_texts(backend: TokenizerBackend) -> Callable[[], SectionText]:
    """A maker of decoders over this tokenizer; special tokens keep their spelling.

    A token is decoded after the one before it. Few such pairs make up most of a text, so they are remembered.
    """

    @lru_cache(maxsize=NUM_REMEMBERED)
    def remembered(ids: tuple[int, ...]) -> str:
        return backend.decode(ids, skip_special_tokens=False)

    def decode(ids: Sequence[int]) -> str:
        if len(ids) > LONGEST_CONTEXT:
            return backend.decode(ids, skip_special_tokens=False)
        return remembered(tuple(ids))

    return lambda: SectionText(decode)
