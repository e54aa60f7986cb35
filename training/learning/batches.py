"""A fixed plan of length-bucketed batches: which documents are trained on together, decided before the first step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from steiner.training.config.recipe import Optimisation
from steiner.training.documents.encode import Document
from steiner.training.documents.token_file import Documents

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
            # The document that crosses the limit may not be in the last batch.
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


class Updates(Dataset[dict[str, Any]]):
    """What one process computes for each update of a plan; together the processes compute every document once."""

    def __init__(
        self,
        plan: BatchPlan,
        documents: Documents,
        pad_id: int,
        rank: int = 0,
        num_ranks: int = 1,
        micro_batch_tokens: int | None = None,
    ) -> None:
        self._plan = plan
        self._documents = documents
        self._pad_id = pad_id
        self._rank = rank
        self._num_ranks = num_ranks
        self._micro_batch_tokens = micro_batch_tokens

    def __getitem__(self, step: int) -> dict[str, Any]:
        """`passes`, one `collate` of documents for each forward pass, equally many on every process; `num_targets` of
        the whole update, over all processes."""
        batch = self._plan.batches[step]
        shares = split_batch(batch, self._documents.lengths, self._num_ranks, self._micro_batch_tokens)
        passes = [
            collate([self._documents[index] for index in one_pass[self._rank]], self._pad_id)
            for one_pass in shares
        ]
        return {"passes": passes, "num_targets": sum(self._documents.num_targets[i] for i in batch)}

    def __len__(self) -> int:
        return len(self._plan.batches)


def split_batch(
    batch: Sequence[int], lengths: Sequence[int], num_ranks: int, micro_batch_tokens: int | None
) -> list[list[list[int]]]:
    """Divide a batch into passes, and each pass among the ranks, about evenly by padded size.

    Every rank takes part in every pass, because sharded weights are gathered from all. If there are fewer documents
    than ranks, some ranks get an empty share.

    Args:
        micro_batch_tokens: largest padded size of a share; a longer document is a share of its own.

    Returns:
        Document indices for each pass and rank.
    """
    ordered = sorted(batch, key=lambda index: lengths[index])
    whole = len(ordered) * lengths[ordered[-1]]
    largest = micro_batch_tokens or whole
    num_shares = len(_group(ordered, lengths, largest))
    num_passes = -(-num_shares // num_ranks)
    # The smallest budget that needs no more than that many shares.
    low, high = 1, largest
    while low < high:
        middle = (low + high) // 2
        if len(_group(ordered, lengths, middle)) <= num_passes * num_ranks:
            high = middle
        else:
            low = middle + 1
    shares = _group(ordered, lengths, high)
    shares += [[]] * (num_passes * num_ranks - len(shares))
    return [shares[first : first + num_ranks] for first in range(0, len(shares), num_ranks)]


def collate(documents: Sequence[Document], pad_id: int) -> dict[str, Tensor]:
    """Pad on the right, where a causal model never looks. Without documents, the result is a row of padding.

    Returns:
        `input_ids` (B, T) int64; `labels` (B, T) int64 with IGNORED where nothing is learned.
    """
    longest = max((len(document.token_ids) for document in documents), default=2)
    num_rows = max(1, len(documents))
    input_ids = torch.full((num_rows, longest), pad_id, dtype=torch.int64)
    labels = torch.full((num_rows, longest), IGNORED, dtype=torch.int64)
    for row, document in enumerate(documents):
        ids = torch.tensor(document.token_ids)
        input_ids[row, : len(ids)] = ids
        labels[row, : len(ids)] = torch.where(torch.tensor(document.learned), ids, IGNORED)
    return {"input_ids": input_ids, "labels": labels}
