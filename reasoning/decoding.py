"""Incremental decoding of one section's ids to text."""

from collections.abc import Callable, Sequence
from typing import Protocol

REPLACEMENT = "\ufffd"
WINDOW = 8
# Far more ids than any character has bytes: what is held by then is not text.
LONGEST_HELD = 64


class SectionDecoder(Protocol):
    """Decodes the ids of one section, or of the answer, as they come."""

    def feed(self, ids: Sequence[int]) -> str:
        """Text that these ids complete, possibly none."""
        ...

    def flush(self) -> str:
        """What was held back; the decoder is then as new."""
        ...


class SectionText:
    """Decodes ids as they come; for valid UTF-8, agrees with decoding all of them at once.

    A character whose bytes are not complete is held back until they are, or until `flush`, where it
    becomes U+FFFD. Decodes a window of recent ids, so an id costs the same however long the section is.
    """

    __slots__ = ("_decode", "_num_emitted", "_window")

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._num_emitted = 0

    def feed(self, ids: Sequence[int]) -> str:
        """Text that these ids complete, possibly none."""
        window = self._window
        window.extend(ids)
        text = self._decode(window)
        stable = len(text.rstrip(REPLACEMENT))
        new = text[self._num_emitted : stable]
        self._num_emitted = max(stable, self._num_emitted)
        if len(window) > WINDOW:
            if stable == len(text):
                self._keep_context()
            elif len(window) > LONGEST_HELD:
                return new + self.flush()
        return new

    def _keep_context(self) -> None:
        # Some decoders treat the first id of a text differently, so one must stay; half a character
        # would spoil what follows.
        for size in range(1, WINDOW):
            context = self._window[-size:]
            text = self._decode(context)
            if text and REPLACEMENT not in text:
                self._window, self._num_emitted = context, len(text)
                return

    def flush(self) -> str:
        """What was held back."""
        text = self._decode(self._window)[self._num_emitted :] if self._window else ""
        self._window = []
        self._num_emitted = 0
        return text


class TokenizerBackend(Protocol):
    """The decoding half of a `tokenizers.Tokenizer`."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


def section_texts(backend: TokenizerBackend) -> Callable[[], SectionText]:
    """A maker of decoders over this tokenizer; special tokens keep their spelling."""

    def decode(ids: Sequence[int]) -> str:
        return backend.decode(ids, skip_special_tokens=False)

    return lambda: SectionText(decode)
