"""Finds markers of text in what a model writes, however its tokens cut them.

Tokens become bytes, bytes characters, and characters units: a marker, a piece of text, or white space of the layout. A
token belongs to the unit in which its first character lies. What may still become a marker is held back.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from steiner.reasoning.protocol import BoundProtocol, Opening
from steiner.reasoning.text_markers import FIRST_ID, TextMarkers

TEXT = -1
"""Id of a unit of text."""
SPACE = -2
"""Id of white space of the layout, which belongs to the marker before it."""
_LINE_FEEDS = re.compile(r"[\r\n]+")
_WHITE_SPACE = re.compile(r"\s+")
_NEVER = re.compile(r"(?!)")


class Unit(NamedTuple):
    """What the parser reads at once.

    Attributes:
        id: of a marker or a depth, TEXT or SPACE.
        token_ids: tokens that begin in it; none if they began in the unit before.
        text: None where the tokens are still to be decoded.
    """

    id: int
    token_ids: tuple[int, ...]
    text: str | None = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """What is looked for at a place of the layout.

    Attributes:
        tags: with the ids that each stands for.
        layout: white space that is no text here.
        holds_text: whether text belongs here.
    """

    tags: Mapping[str, tuple[int, ...]]
    pattern: re.Pattern[str]
    beginnings: frozenset[str]
    layout: re.Pattern[str]
    holds_text: bool


class _Found(NamedTuple):
    """A unit, where it ends in the text held, and what it comes from."""

    unit: Unit
    end: int
    source: Literal["text", "special", "direct", "following"] = "text"


class _Token(NamedTuple):
    """A token that has text behind the last unit.

    Attributes:
        start: of its first character, in the text held.
        is_glued: whether it begins inside a character, which the token before it has begun.
    """

    id: int
    start: int
    is_glued: bool


class Scanner:
    """Push a token, then take units until there is none; `peek` shows the next one without taking it.

    Args:
        opening: where the completion begins.
        is_strict: whether the text of a section ends at its own closing tag alone, as the grammar has it. Without a
            grammar, a model may forget one, so any tag of the protocol ends it.
    """

    def __init__(
        self, bound: BoundProtocol, markers: TextMarkers, opening: Opening, *, is_strict: bool = True
    ) -> None:
        self._bound = bound
        self._markers = markers
        self._places = _places(bound, markers, is_strict=is_strict)
        self._frame, self._answer = (
            self._places[bound.reasoning_start_id],
            self._places[bound.reasoning_end_id],
        )
        before = _place({markers.tags.get(bound.reasoning_start_id, ""): (bound.reasoning_start_id,)})
        self._place = {"before": before, "reasoning": self._frame, "answer": self._answer}[opening]
        self._is_fresh = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._has_bytes = False
        self._text = ""
        self._at = 0
        self._tokens: list[_Token] = []
        # A token that is nothing but text takes the shortest way.
        self._direct: int | None = None
        self._direct_text: str | None = None
        self._special: int | None = None
        self._following: int | None = None
        self._is_final = False
        self._next: _Found | None = None

    def push(self, token_id: int) -> None:
        """One more token of the model."""
        if token_id in self._bound.special_ids:
            self._special = token_id
            self._text += self._decoder.decode(b"", final=True)
            self._has_bytes = False
        elif self._tokens or self._is_fresh or not self._place.holds_text:
            self._hold(token_id)
        elif self._place is self._answer:
            self._direct, self._direct_text = token_id, None
        elif (text := self._markers.plain_text_of(token_id)) is not None:
            self._direct, self._direct_text = token_id, text
        else:
            self._hold(token_id)

    def finish(self) -> None:
        """No more comes: what was held back becomes units, and half a character nothing."""
        self._is_final = True
        self._has_bytes = False

    def peek(self) -> Unit | None:
        """The next unit that is certain."""
        if self._next is None:
            self._next = self._find()
        return None if self._next is None else self._next.unit

    @property
    def remnant(self) -> str:
        """What a cut behind the unit that `peek` shows would have to write anew, because a token goes on behind it."""
        if self._next is None:
            return ""
        end = self._next.end
        first = self._straddling(end)
        return "" if first is None else self._text[self._tokens[first].start : end]

    def take(self) -> None:
        """Go on behind the unit that `peek` has shown."""
        assert self._next is not None
        (marker_id, _, _), end, source = self._next
        self._next = None
        match source:
            case "direct":
                self._direct = None
            case "following":
                self._following = None
            case "special":
                self._special = None
                self.enter(marker_id)
            case "text":
                self._is_fresh &= marker_id != TEXT
                self._advance(end)
                self.enter(marker_id)

    def enter(self, marker_id: int) -> None:
        """Stand behind a marker."""
        place = self._places.get(marker_id)
        if place is not None:
            self._place = place
            self._is_fresh = True

    def force(self, marker_id: int) -> Unit:
        """Stand behind a marker that the server writes, right behind a cut."""
        self.enter(marker_id)
        return Unit(marker_id, self._markers.spell(marker_id))

    def take_layout(self) -> Unit | None:
        """White space that is held back because the answer might be nothing else, taken for layout."""
        space = self._place.layout.match(self._text, self._at) if self._is_fresh else None
        if self._next is not None or space is None or space.end() < len(self._text):
            return None
        unit = Unit(SPACE, self._begun_by(space.end()))
        self._advance(space.end())
        return unit

    def cut(self) -> tuple[int, int, str]:
        """Forget everything behind the last unit that was taken.

        Returns:
            How many of the last tokens go, how many of them begin before the cut, and the text that those have there.
        """
        num_dropped = len(self._tokens) + (self._direct is not None) + (self._special is not None)
        num_cut = sum(token.start < self._at for token in self._tokens)
        remnant = self._text[self._tokens[0].start : self._at] if self._tokens else ""
        self._decoder.reset()
        self._has_bytes = False
        self._text, self._at, self._tokens = "", 0, []
        self._direct = self._special = self._following = self._next = None
        return num_dropped, num_cut, remnant

    def _hold(self, token_id: int) -> None:
        self._tokens.append(_Token(token_id, len(self._text), self._has_bytes))
        self._text += self._decoder.decode(self._markers.bytes_of(token_id))
        self._has_bytes = bool(self._decoder.getstate()[0])

    def _find(self) -> _Found | None:
        """The next unit and where it ends."""
        if self._direct is not None:
            return _Found(Unit(TEXT, (self._direct,), self._direct_text), self._at, "direct")
        if self._following is not None:
            return _Found(Unit(self._following, ()), self._at, "following")
        if self._at < len(self._text):
            return self._find_in_text()
        is_whole = self._is_final or self._special is not None
        if is_whole and (held := self._begun_by(len(self._text) + 1)):
            return _Found(Unit(TEXT if self._place.holds_text else SPACE, held), len(self._text) + 1)
        if self._special is not None:
            return _Found(Unit(self._special, (self._special,)), self._at, "special")
        return None

    def _find_in_text(self) -> _Found | None:
        text, at, place = self._text, self._at, self._place
        is_whole = self._is_final or self._special is not None
        if self._is_fresh or not place.holds_text:
            space = place.layout.match(text, at)
            if space is not None:
                return self._white_space(space.end(), is_whole=is_whole)
        found = text.find("<", at)
        while found >= 0:
            tag = place.pattern.match(text, found)
            if tag is not None and found == at:
                ids = place.tags[tag[0]]
                self._following = ids[1] if len(ids) > 1 else None
                return _Found(Unit(ids[0], self._begun_by(tag.end())), tag.end())
            if tag is not None or (text[found:] in place.beginnings and not is_whole):
                break
            found = text.find("<", found + 1)
        if found == at:
            return None
        if found < 0 and self._is_final and not place.holds_text:
            # A tag that the length cut off belongs to the layout, and breaks no rule.
            found = next((i for i in range(at, len(text)) if text[i:] in place.beginnings), -1)
            if found == at:
                return _Found(Unit(SPACE, self._begun_by(len(text))), len(text))
        end = len(text) if found < 0 else found
        return _Found(Unit(TEXT, self._begun_by(end), text[at:end]), end)

    def _white_space(self, end: int, *, is_whole: bool) -> _Found | None:
        if self._place is not self._answer or end < len(self._text):
            return _Found(Unit(SPACE, self._begun_by(end)), end)
        # An answer of line feeds alone is still one.
        return _Found(Unit(TEXT, self._begun_by(end), self._text[self._at : end]), end) if is_whole else None

    def _begun_by(self, end: int) -> tuple[int, ...]:
        """Tokens that begin between the last unit and a place."""
        at = self._at
        return tuple([token.id for token in self._tokens if at <= token.start < end])

    def _straddling(self, end: int) -> int | None:
        """Where the tokens begin that lie on both sides of a place; None if one ends right there."""
        first = None
        for index, token in enumerate(self._tokens):
            if token.start >= end and not token.is_glued:
                return None if token.start == end else first
            if not token.is_glued and token.start < end:
                first = index
        return first if end < len(self._text) or self._has_bytes else None

    def _advance(self, end: int) -> None:
        """Forget the tokens that end before a place, and their text."""
        first = self._straddling(end)
        if first is None:
            left = (i for i, token in enumerate(self._tokens) if token.start >= end and not token.is_glued)
            first = next(left, len(self._tokens))
        start = self._tokens[first].start if first < len(self._tokens) else end
        del self._tokens[:first]
        self._text, self._at = self._text[start:], end - start
        if start:
            self._tokens = [_Token(one.id, one.start - start, one.is_glued) for one in self._tokens]


def _place(
    tags: Mapping[str, tuple[int, ...]],
    layout: re.Pattern[str] = _WHITE_SPACE,
    *,
    holds_text: bool = False,
) -> _Place:
    tags = {tag: ids for tag, ids in tags.items() if tag}
    longest_first = sorted(tags, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first))) if tags else _NEVER
    beginnings = frozenset(tag[:length] for tag in tags for length in range(1, len(tag)))
    return _Place(tags, pattern, beginnings, layout, holds_text)


def _places(bound: BoundProtocol, markers: TextMarkers, *, is_strict: bool) -> dict[int, _Place]:
    """The place behind each marker."""
    tags: dict[str, tuple[int, ...]] = {
        tag: (marker_id,) for marker_id, tag in markers.tags.items() if marker_id in bound.special_ids
    }
    for (depth_id,) in bound.depth_ids:
        assert bound.backtrack_id is not None
        tags[markers.tags[bound.backtrack_id] + markers.tags[depth_id]] = (bound.backtrack_id, depth_id)
    if bound.depth_ids and bound.backtrack_id is not None:
        del tags[markers.tags[bound.backtrack_id]]
    frame = _place(tags)
    places = {marker_id: frame for marker_id in bound.special_ids if marker_id >= FIRST_ID}
    for section in bound.sections:
        closing: set[int | None] = {section.end_id}
        if section.role == "verification":
            closing |= {bound.verified_id, bound.refuted_id}
        own = {tag: ids for tag, ids in tags.items() if not is_strict or ids[0] in closing}
        assert section.start_id is not None
        places[section.start_id] = _place(own, _LINE_FEEDS, holds_text=True)
    answer = _place({}, _LINE_FEEDS, holds_text=True)
    return {**places, bound.reasoning_start_id: frame, bound.reasoning_end_id: answer}
