"""Ends a text at the first of several stop strings, however the text is cut into pieces."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StopRule:
    """What ends an answer, other than the end of the turn.

    Attributes:
        strings: none of them empty.
        token_ids: single tokens that also end it.
        included: whether what ended it is part of the answer.
    """

    strings: tuple[str, ...] = ()
    token_ids: frozenset[int] = frozenset()
    included: bool = False

    def __bool__(self) -> bool:
        return bool(self.strings or self.token_ids)


NO_STOP = StopRule()


class StopStrings:
    """Passes a text on up to the stop string that is complete first. If several are, the longest counts.

    Text that may still become a stop string is held back. A character costs the same however long the strings are
    (Knuth, Morris and Pratt, https://doi.org/10.1137/0206024).

    Attributes:
        found: the stop string that ended the text.
    """

    def __init__(self, strings: Sequence[str], *, included: bool) -> None:
        self.found: str | None = None
        self._patterns = [_Pattern(text) for text in strings]
        self._included = included
        self._held = ""

    def feed(self, piece: str) -> str:
        """Text that can be passed on now; none after a stop string."""
        if self.found is not None:
            return ""
        num_held = 0
        for position, character in enumerate(piece):
            num_held = 0
            for pattern in self._patterns:
                matched = pattern.take(character)
                if matched == len(pattern.text) and matched > len(self.found or ""):
                    self.found = pattern.text
                num_held = max(num_held, matched)
            if self.found is not None:
                text = self._held + piece[: position + 1]
                self._held = ""
                return text if self._included else text[: -len(self.found)]
        if not piece:
            return ""
        text = self._held + piece
        self._held = text[len(text) - num_held :]
        return text[: len(text) - num_held]

    def flush(self) -> str:
        """What was held back, at the end of a text."""
        text, self._held = self._held, ""
        return text


class _Pattern:
    """How many characters of a string the text so far ends with."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._matched = 0
        # For each beginning, the length of the longest shorter beginning that it ends with.
        self._borders = [0]
        for character in text[1:]:
            self._borders.append(self._after(self._borders[-1], character))

    def take(self, character: str) -> int:
        self._matched = self._after(self._matched, character)
        return self._matched

    def _after(self, matched: int, character: str) -> int:
        while matched and self.text[matched] != character:
            matched = self._borders[matched - 1]
        return matched + (self.text[matched] == character)
