"""Ordinary text in the order of its files, cut to what the model holds, as documents of continual pre-training."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
from transformers import PreTrainedTokenizerFast

from steiner.training.config.ordinary_text import OrdinaryText
from steiner.training.data.shards import DataError, in_batches
from steiner.training.documents.encode import Document
from steiner.training.model.tokenizer import END_OF_TEXT

BATCH_TEXTS = 64
"""Texts tokenised at once; one is at most a book."""


def text_documents(
    text: OrdinaryText, tokenizer: PreTrainedTokenizerFast, num_tokens: int
) -> Iterator[Document]:
    """Documents from the beginning of the first file until there are `num_tokens` tokens, or to the end of the last.

    Each ends with the end of text. One that is longer than the model's positions becomes several. Markers that a text
    spells stay text. One batch of texts is in memory at a time.

    Raises:
        DataError: a file cannot be read, or a record has no text in the field.
    """
    longest = tokenizer.model_max_length
    end_id = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    used = 0
    texts = (one for path in text.files for one in read_texts(path, text.field))
    for batch in in_batches(texts, BATCH_TEXTS):
        encoded = tokenizer(
            batch,
            add_special_tokens=False,
            return_attention_mask=False,
            split_special_tokens=True,
            verbose=False,
        )["input_ids"]
        for ids in encoded:
            whole = [*ids, end_id]
            for begin in range(0, len(whole), longest):
                if used >= num_tokens:
                    return
                piece = whole[begin : begin + longest]
                used += len(piece)
                yield Document(piece, [True] * len(piece))


def read_texts(path: Path, field: str) -> Iterator[str]:
    """The texts of a file, one at a time; empty ones are skipped.

    Raises:
        DataError: the file cannot be read, or a record has no text in the field.
    """
    try:
        texts = {".jsonl": _json_lines, ".parquet": _parquet, ".txt": _whole}[path.suffix](path, field)
        for number, text in enumerate(texts, 1):
            if not isinstance(text, str):
                raise DataError(
                    f"{path}: record {number} has no text in its field {field!r}; `cpt.text.field` names it."
                )
            if text:
                yield text
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as ordinary text: {error}") from error


def _json_lines(path: Path, field: str) -> Iterator[Any]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield record.get(field) if isinstance(record, dict) else None


def _parquet(path: Path, field: str) -> Iterator[Any]:
    file = parquet.ParquetFile(path)
    if field not in file.schema_arrow.names:
        raise DataError(
            f"{path}: there is no column {field!r}, but {file.schema_arrow.names}; `cpt.text.field` names it."
        )
    for batch in file.iter_batches(columns=[field]):
        yield from batch.column(0).to_pylist()


def _whole(path: Path, field: str) -> Iterator[Any]:
    yield path.read_text(encoding="utf-8")
