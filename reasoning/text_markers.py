"""Markers that are ordinary text: each has an id beyond every vocabulary, and a spelling in the tokenizer's own ids.

Automaton, step reader and progress work on these ids as on those of special tokens. The scanner finds the markers in
what a model writes, and what a server forces is spelled with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from steiner.reasoning.errors import UnspellableTextError

FIRST_ID = 1 << 32
"""Far above any vocabulary, so that the id of a text marker is no token's."""
LINE = "\n"
"""What the layout has after a marker that ends a line."""

Encode = Callable[[str], Iterable[int]]
BytesOf = Callable[[int], bytes]


class TextMarkers:
    """The text markers of one protocol under one tokenizer. Two are equal only if they are the same object.

    Args:
        encode: a text to ids, without what a tokenizer puts around it.
        bytes_of: what a token adds to a text in whose middle it stands.
        special_ids: of the tokenizer; no text is spelled with them.

    Attributes:
        tags: of each marker, by its id, without the layout.
    """

    def __init__(self, encode: Encode, bytes_of: BytesOf, special_ids: Iterable[int]) -> None:
        self.tags: dict[int, str] = {}
        self._bytes_of = bytes_of
        self._known_bytes: dict[int, bytes] = {}
        self._plain_texts: dict[int, str | None] = {}
        self._encode = encode
        self._special_ids = frozenset(special_ids)
        self._new_ids = count(FIRST_ID)
        self._spelled: dict[int, tuple[int, ...]] = {}

    def add(self, tag: str, layout: str = "") -> int:
        """Give a marker its id.

        Args:
            layout: white space that follows the tag where the server writes it.
        """
        marker_id = next(self._new_ids)
        self.tags[marker_id] = tag
        self._spelled[marker_id] = self.encode(tag + layout)
        return marker_id

    def lay_out(self, token_id: int, layout: str) -> None:
        """Say what white space follows a marker that is a token, where the server writes it."""
        self._spelled[token_id] = (token_id, *self.encode(layout))

    def bytes_of(self, token_id: int) -> bytes:
        """What a token adds to a text."""
        known = self._known_bytes.get(token_id)
        if known is None:
            known = self._known_bytes[token_id] = self._bytes_of(token_id)
        return known

    def plain_text_of(self, token_id: int) -> str | None:
        """The token's text if it is one of whole characters without the beginning of a tag; else None."""
        if token_id not in self._plain_texts:
            try:
                text = self.bytes_of(token_id).decode()
            except UnicodeDecodeError:
                text = ""
            self._plain_texts[token_id] = None if "<" in text or not text else text
        return self._plain_texts[token_id]

    def spell(self, marker_id: int) -> tuple[int, ...]:
        """The ids with which a server writes a marker, its layout included; a token's own where it is one."""
        return self._spelled.get(marker_id, (marker_id,))

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids that add exactly this to a text, none of them special.

        Raises:
            UnspellableTextError: the vocabulary has no tokens for it.
        """
        if not text:
            return ()
        ids = self._exact(text)
        if ids is not None:
            return ids
        # A tokenizer may only know how to begin a text, with a space in front, say; characters are surer.
        pieces = [self._exact(character) for character in text] if len(text) > 1 else [None]
        spelled = [piece for piece in pieces if piece is not None]
        if len(spelled) < len(pieces):
            raise UnspellableTextError(text)
        return tuple(token_id for piece in spelled for token_id in piece)

    def _exact(self, text: str) -> tuple[int, ...] | None:
        """Ids of a text, alone or behind another; None where neither gives exactly its bytes."""
        wanted = text.encode()
        for before in ("", "\n", "a", ">"):
            given = tuple(self._encode(before))
            ids = tuple(self._encode(before + text))
            if ids[: len(given)] != given:
                continue
            ids = ids[len(given) :]
            if b"".join(map(self.bytes_of, ids)) == wanted and self._special_ids.isdisjoint(ids):
                return ids
        return None
