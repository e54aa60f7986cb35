"""Many records as documents, by as many processes as there are cores. The documents do not depend on how many."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.progress import track
from transformers import PreTrainedTokenizerFast

from steiner.training.config.recipe import Style
from steiner.training.data.shards import in_batches
from steiner.training.data.workers import usable_cores, worker_processes
from steiner.training.documents.encode import Document, encode_chats, encode_plain

Batch = tuple[int, list[Mapping[str, Any]]]
"""Records, and the number of the first among all."""
BATCH_RECORDS = 500
RECORDS_PER_PROCESS = 5_000
"""Starting a process takes as long as encoding some thousand records."""


@dataclass(frozen=True, slots=True)
class PlainEncoding:
    """`encode_plain`, to be sent to another process."""

    tokenizer: PreTrainedTokenizerFast

    def __call__(self, batch: Batch) -> list[Document]:
        _, records = batch
        return list(encode_plain(records, self.tokenizer))


@dataclass(frozen=True, slots=True)
class ChatEncoding:
    """`encode_chats`, to be sent to another process."""

    tokenizer: PreTrainedTokenizerFast
    style: Style
    cut: float
    seed: int
    num_stretches: int

    def __call__(self, batch: Batch) -> list[Document]:
        first, records = batch
        return list(
            encode_chats(records, self.tokenizer, self.style, self.cut, self.seed, self.num_stretches, first)
        )


def encode_all(
    records: Iterable[Mapping[str, Any]],
    num_records: int,
    encoding: Callable[[Batch], list[Document]],
    workers: int | None = None,
) -> list[Document]:
    """Every document of the records, in their order.

    Args:
        num_records: about how many there are, for the progress bar and the number of processes.
        workers: processes that share the work; by default, the records and the cores decide.

    Raises:
        DataError: a worker process was ended from outside.
    """
    count = workers or max(1, min(usable_cores(), num_records // RECORDS_PER_PROCESS))
    num_batches = -(-num_records // BATCH_RECORDS)
    with worker_processes(count) as map_in_order:
        batches = enumerate(in_batches(records, BATCH_RECORDS))
        encoded = map_in_order(encoding, ((n * BATCH_RECORDS, batch) for n, batch in batches))
        return [
            document
            for documents in track(encoded, description="encode", total=num_batches)
            for document in documents
        ]
