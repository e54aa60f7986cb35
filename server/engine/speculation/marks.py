"""A protocol's marks as arrays, for the compiled index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from steiner.reasoning.grammar.certain_tokens import VERDICTS, Mark

CONFIG_KEY = "steiner_speculation"
"""Where vLLM's `additional_config` has the drafter's own settings."""

Packed = tuple[Any, Any, Any, Any, Any, Any]


def packed(marks: Sequence[Mark], vocab_size: int) -> Packed:
    """The marks by their last token.

    Returns:
        first: int32 of shape (vocab_size,), a mark that ends in the token, or -1.
        following: int32 of shape (marks,), the next mark that ends in the same token, or -1.
        spelling: int32 of shape (marks, 2), begin and length of its tokens in `ids`.
        spans: int32 of shape (marks, 2), the place behind it, and the verdict or -1.
        chains: int32 of shape (marks, 3, 2), begin and length in `ids` of what is certain behind it, by verdict.
        ids: int64, tokens.
    """
    first = np.full(vocab_size, -1, np.int32)
    # Numba has no arrays of unknown shape, so there is a row also where there is no mark.
    num_rows = max(1, len(marks))
    following = np.full(num_rows, -1, np.int32)
    spelling = np.zeros((num_rows, 2), np.int32)
    spans = np.zeros((num_rows, 2), np.int32)
    chains = np.zeros((num_rows, len(VERDICTS), 2), np.int32)
    ids: list[int] = []
    # The longest first: of marks that end alike, the longer one says more.
    for number, mark in enumerate(sorted(marks, key=lambda mark: len(mark.ids))):
        following[number], first[mark.ids[-1]] = first[mark.ids[-1]], number
        spelling[number] = len(ids), len(mark.ids)
        ids += mark.ids
        spans[number] = mark.place, -1 if mark.verdict is None else mark.verdict
        for verdict, certain in enumerate(mark.certain):
            chains[number, verdict] = len(ids), len(certain)
            ids += certain
    return first, following, spelling, spans, chains, np.array(ids or [0], np.int64)


def plain_marks(marks: Sequence[Mark]) -> list[list[Any]]:
    """The marks as JSON has them, for vLLM's configuration."""
    return [[mark.ids, mark.place, mark.verdict, mark.certain] for mark in marks]


def read_marks(plain: Sequence[Sequence[Any]]) -> tuple[Mark, ...]:
    """What `plain_marks` wrote."""
    return tuple(
        Mark(tuple(ids), place, verdict, tuple(map(tuple, certain))) for ids, place, verdict, certain in plain
    )
