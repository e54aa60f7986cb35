"""Counts of drafted and accepted tokens, from vLLM's workers to the server, in memory that both see.

vLLM's own channel has no place for them.
"""

from __future__ import annotations

import os

import numpy as np

from steiner.server.engine.base import DRAFT_COUNTS


class DraftCounts:
    """The counts of one copy of the model, which only its first rank writes.

    Args:
        path: of the file that `SharedCounts` made.
        copy: number of the copy of the model, its rank among data-parallel ones.
    """

    def __init__(self, path: str, copy: int) -> None:
        self._mapped = np.memmap(path, np.int64, "r+").reshape(-1, len(DRAFT_COUNTS))[copy]
        self._counts = np.zeros(len(DRAFT_COUNTS), np.int64)

    def add(self, **counts: int) -> None:
        """Add to columns by their names, here only."""
        for name, count in counts.items():
            self._counts[DRAFT_COUNTS.index(name)] += count

    def write(self) -> None:
        """Show the server what was added."""
        self._mapped[:] = self._counts


class SharedCounts:
    """The file, in memory only; it is gone with this process.

    Args:
        num_copies: of the model.
    """

    def __init__(self, num_copies: int) -> None:
        self._descriptor = os.memfd_create("steiner-draft-counts")
        os.truncate(self._descriptor, num_copies * len(DRAFT_COUNTS) * np.dtype(np.int64).itemsize)
        self._mapped = np.memmap(self.path, np.int64, "r").reshape(-1, len(DRAFT_COUNTS))

    @property
    def path(self) -> str:
        """By which other processes of the same user open it."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def read(self) -> dict[str, int]:
        """The sums over all copies of the model, by column."""
        return dict(zip(DRAFT_COUNTS, self._mapped.sum(axis=0).tolist(), strict=True))

    def close(self) -> None:
        """Free it; no worker may still open it."""
        os.close(self._descriptor)
