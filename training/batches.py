"""A fixed plan of length-bucketed batches: which documents are trained on together, decided before the first step."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from steiner.training.config import Optimisation
from steiner.training.encode import Document

IGNORED = -100
BUCKET_BATCHES = 40
"""Documents are sorted by length within this many batches, so that padding stays small and order stays random."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Attributes:
    batches: document indices of each batch.
    progress: share of the stage's tokens seen before each batch, in [0, 1).
    """

    batches: list[list[int]]
    progress: list[float]


def plan_batches(lengths: Sequence[int], stage: Optimisation, seed: int) -> BatchPlan:
    """Plan until `stage.tokens` are used, repeating the documents in a new order for each epoch.

    Args:
        lengths: tokens of each document.
    """
    rng = random.Random(f"{seed}/batches")
    batches: list[list[int]] = []
    progress: list[float] = []
    used = 0
    order: list[int] = []
    first, last = stage.batch_tokens
    while used < stage.tokens:
        ramp = min(1.0, used / stage.tokens / stage.ramp_until) if stage.ramp_until else 1.0
        budget = int(first + (last - first) * ramp)
        bucket: list[int] = []
        size = 0
        while size < budget * BUCKET_BATCHES and used + size < stage.tokens:
            if not order:
                order = rng.sample(range(len(lengths)), len(lengths))
            bucket.append(order.pop())
            size += lengths[bucket[-1]]
        grouped = _group(sorted(bucket, key=lambda index: lengths[index]), lengths, budget)
        rng.shuffle(grouped)
        for batch in grouped:
            batches.append(batch)
            # The document that crosses the limit need not be in the last batch.
            progress.append(min(1.0, used / stage.tokens))
            used += sum(lengths[index] for index in batch)
    return BatchPlan(batches, progress)


def _group(sorted_indices: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cut documents sorted by length into batches whose padded size stays within the budget."""
    grouped: list[list[int]] = [[]]
    for index in sorted_indices:
        if grouped[-1] and (len(grouped[-1]) + 1) * lengths[index] > budget:
            grouped.append([])
        grouped[-1].append(index)
    return grouped


class PlannedSampler(Sampler[list[int]]):
    """Gives a `DataLoader` the batches of a plan, in order."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._plan.batches)

    def __len__(self) -> int:
        return len(self._plan.batches)


class Documents(Dataset[Document]):
    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def __getitem__(self, index: int) -> Document:
        return self._documents[index]

    def __len__(self) -> int:
        return len(self._documents)


def collate(documents: Sequence[Document], pad_id: int) -> dict[str, Tensor]:
    """Pad on the right, where a causal model never looks.

    Returns:
        `input_ids` (B, T) int64; `labels` (B, T) int64 with IGNORED where nothing is learned.
    """
    longest = max(len(document.token_ids) for document in documents)
    input_ids = torch.full((len(documents), longest), pad_id, dtype=torch.int64)
    labels = torch.full((len(documents), longest), IGNORED, dtype=torch.int64)
    for row, document in enumerate(documents):
        ids = torch.tensor(document.token_ids)
        input_ids[row, : len(ids)] = ids
        labels[row, : len(ids)] = torch.where(torch.tensor(document.learned), ids, IGNORED)
    return {"input_ids": input_ids, "labels": labels}
