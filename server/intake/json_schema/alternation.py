"""Texts as one regular expression, beginnings that they share written once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from steiner.server.intake.json_schema.code_points import escaped

MAX_DEPTH = 40
"""Of groups in groups: parsers of regular expressions have a limit, too."""


def one_of_texts(texts: Iterable[str]) -> str:
    """What each of some texts fits, and nothing else; there is one at least."""
    return _alternation(sorted(set(texts)), 0, 0)


def _alternation(texts: list[str], start: int, depth: int) -> str:
    """Sorted texts from `start` on, up to where they are alike."""
    if depth > MAX_DEPTH:
        return f"(?:{'|'.join(escaped(text[start:]) for text in texts)})"
    # The first and the last of sorted texts share what all of them share.
    pairs = zip(texts[0][start:], texts[-1][start:], strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    head, start = escaped(texts[0][start : start + shared]), start + shared
    if len(texts) == 1:
        return head
    ends = len(texts[0]) == start
    groups = itertools.groupby(texts[ends:], key=lambda text: text[start])
    choices = [_alternation(list(group), start, depth + 1) for _, group in groups]
    return f"{head}(?:{'|'.join(choices)}){'?' if ends else ''}"
