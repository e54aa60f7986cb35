"""The documents of a stage on disk: encoded once by one process, and mapped into memory by all."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from steiner.training.config.files import whole_folder
from steiner.training.documents.encode import Document

ID_TYPE = np.uint32


class Documents(Dataset[Document]):
    """Documents that are in memory.

    Attributes:
        lengths: tokens of each.
        num_targets: tokens of each that the loss counts; the first token of a document is never predicted.
    """

    lengths: Sequence[int]
    num_targets: Sequence[int]

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self.lengths = [len(document.token_ids) for document in documents]
        self.num_targets = [sum(document.learned[1:]) for document in documents]

    def __getitem__(self, index: int) -> Document:
        return self._documents[index]

    def __len__(self) -> int:
        return len(self.lengths)


class TokenFile(Documents):
    """Documents in a folder that `write_documents` made."""

    def __init__(self, folder: Path) -> None:
        self._ends = np.load(folder / "ends.npy")
        size = int(self._ends[-1]) if len(self._ends) else 0
        self._token_ids = _mapped(folder / "token_ids.bin", ID_TYPE, size)
        self._learned = _mapped(folder / "learned.bin", np.bool_, size)
        starts = np.concatenate([[0], self._ends[:-1]]).astype(np.int64)
        self.lengths = (self._ends - starts).tolist()
        self.num_targets = np.load(folder / "num_targets.npy").tolist()

    def __getitem__(self, index: int) -> Document:
        end = int(self._ends[index])
        begin = end - self.lengths[index]
        return Document(self._token_ids[begin:end].tolist(), self._learned[begin:end].tolist())


class Chosen(Documents):
    """Some of the documents, in the given order; an index that comes again repeats its document."""

    def __init__(self, documents: Documents, indices: Sequence[int]) -> None:
        self._all = documents
        self._indices = indices
        self.lengths = [documents.lengths[index] for index in indices]
        self.num_targets = [documents.num_targets[index] for index in indices]

    def __getitem__(self, index: int) -> Document:
        return self._all[self._indices[index]]


class Joined(Documents):
    """Documents of several sources, one source after the other."""

    def __init__(self, parts: Sequence[Documents]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))
        self.lengths = [length for part in parts for length in part.lengths]
        self.num_targets = [number for part in parts for number in part.num_targets]

    def __getitem__(self, index: int) -> Document:
        part = bisect_right(self._ends, index)
        return self._parts[part][index - (self._ends[part - 1] if part else 0)]


def write_documents(folder: Path, documents: Iterable[Document]) -> None:
    """Write documents one after the other; the folder appears under its name only when complete."""
    with whole_folder(folder) as partial:
        ends: list[int] = []
        num_targets: list[int] = []
        with (partial / "token_ids.bin").open("wb") as ids, (partial / "learned.bin").open("wb") as learned:
            for document in documents:
                np.asarray(document.token_ids, dtype=ID_TYPE).tofile(ids)
                np.asarray(document.learned, dtype=np.bool_).tofile(learned)
                ends.append(len(document.token_ids) + (ends[-1] if ends else 0))
                num_targets.append(sum(document.learned[1:]))
        np.save(partial / "ends.npy", np.asarray(ends, dtype=np.int64))
        np.save(partial / "num_targets.npy", np.asarray(num_targets, dtype=np.int64))


def _mapped(path: Path, dtype: Any, size: int) -> Any:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=dtype, mode="r", shape=(size,)) if size else np.empty(0, dtype=dtype)
