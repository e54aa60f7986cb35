"""What a teacher wrote, as further documents of continual pre-training and of fine-tuning."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from transformers import PreTrainedTokenizerFast

from steiner.training.data.shards import DataError
from steiner.training.data.teacher_runs import describe_teacher_runs, read_teacher_traces
from steiner.training.encode import Document
from steiner.training.encode_all import Batch, encode_all


def teacher_documents(
    runs: Sequence[Path],
    tokenizer: PreTrainedTokenizerFast,
    encoding: Callable[[Batch], list[Document]],
    console: Console,
) -> list[Document]:
    """The traces of `steiner teach` runs, encoded; what the model's positions do not hold is left out.

    Generated searches fit, or are taught folded; a teacher writes as much as it likes, and half a search is none.

    Raises:
        DataError: a folder holds no finished run, or nothing is left to learn.
    """
    if not runs:
        return []
    num_records = sum(run["records"] for run in describe_teacher_runs(runs))
    traces = list(read_teacher_traces(runs))
    encoded = encode_all(traces, len(traces), encoding)
    longest = tokenizer.model_max_length
    documents = [document for document in encoded if len(document.token_ids) <= longest]
    left_out = (
        f"{num_records - len(traces):,} of {num_records:,} traces solve held-out problems, and "
        f"{len(encoded) - len(documents):,} of {len(encoded):,} documents are longer than {longest:,} tokens"
    )
    if not documents:
        raise DataError(f"teacher_runs: nothing is left to learn: {left_out}.")
    console.print(f"  teacher: {left_out}; these are left out")
    return documents
