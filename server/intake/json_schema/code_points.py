"""Sets of Unicode code points, as sorted ranges without overlap, and how a regular expression writes them.

Surrogates belong to no set: they are no characters, and JSON text cannot hold one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

Ranges = tuple[tuple[int, int], ...]
"""First and last code point of each range."""

LAST = 0x10FFFF
PLAIN = ' _<>:,"'
"""Characters beside letters and digits that mean themselves, within a class as outside of one."""
SURROGATES = (0xD800, 0xDFFF)


def ranges_of(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Any pairs as ranges: sorted, joined where they touch, without surrogates."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(part for pair in joined for part in _without_surrogates(*pair))


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    gaps, next_free = [], 0
    for low, high in ranges:
        if low > next_free:
            gaps.append((next_free, low - 1))
        next_free = high + 1
    if next_free <= LAST:
        gaps.append((next_free, LAST))
    return ranges_of(gaps)


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """The first set less the second."""
    return complement(ranges_of((*complement(ranges), *taken)))


def has(ranges: Ranges, code: int) -> bool:
    """Whether a code point is in the set."""
    return any(low <= code <= high for low, high in ranges)


def character_class(ranges: Ranges) -> str:
    """The set as a class of a regular expression of Rust's crate `regex`; not for an empty set."""
    return "[" + "".join(_range_text(low, high) for low, high in ranges) + "]"


def escaped(text: str) -> str:
    """A text as a regular expression that only it fits."""
    return "".join(_code_text(ord(character)) for character in text)


@cache
def matching(test: Callable[[str], bool]) -> Ranges:
    """The characters for which a test holds; a tenth of a second the first time."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for code in range(LAST + 2):
        holds = code <= LAST and test(chr(code))
        if holds and start is None:
            start = code
        elif not holds and start is not None:
            found.append((start, code - 1))
            start = None
    return ranges_of(found)


def _without_surrogates(low: int, high: int) -> Iterable[tuple[int, int]]:
    first, last = SURROGATES
    if low < first:
        yield low, min(high, first - 1)
    if high > last:
        yield max(low, last + 1), high


def _range_text(low: int, high: int) -> str:
    return _code_text(low) if low == high else f"{_code_text(low)}-{_code_text(high)}"


def _code_text(code: int) -> str:
    character = chr(code)
    is_plain = character.isascii() and (character.isalnum() or character in PLAIN)
    return character if is_plain else f"\\x{{{code:x}}}"


ALL = complement(())
