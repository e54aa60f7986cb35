"""Documents on disk are those that were written, alone, chosen and joined."""

import random
from pathlib import Path

import pytest

from steiner.training.documents.encode import Document
from steiner.training.documents.token_file import Chosen, Documents, Joined, TokenFile, write_documents


def some_documents(count: int, seed: int) -> list[Document]:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 9) for _ in range(count)]
    return [
        Document([rng.randrange(200_000) for _ in range(n)], [rng.random() < 0.5 for _ in range(n)])
        for n in lengths
    ]


def read(documents: Documents) -> list[Document]:
    return [documents[index] for index in range(len(documents))]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_what_was_written_comes_back(tmp_path: Path, count: int) -> None:
    written = some_documents(count, 1)
    write_documents(tmp_path / "documents", iter(written))
    file = TokenFile(tmp_path / "documents")
    assert read(file) == written
    in_memory = Documents(written)
    assert (list(file.lengths), list(file.num_targets)) == (in_memory.lengths, in_memory.num_targets)


def test_a_documents_first_token_is_no_target() -> None:
    documents = Documents([Document([1, 2, 3], [True, False, True]), Document([4], [True])])
    assert documents.num_targets == [1, 0]


def test_half_written_documents_are_not_there(tmp_path: Path) -> None:
    def interrupted() -> object:
        yield from some_documents(3, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_documents(tmp_path / "documents", interrupted())  # type: ignore[arg-type]
    assert not (tmp_path / "documents").exists()
    write_documents(tmp_path / "documents", some_documents(2, 2))
    assert read(TokenFile(tmp_path / "documents")) == some_documents(2, 2)


def test_chosen_and_joined_documents_are_views(tmp_path: Path) -> None:
    first, second = some_documents(4, 1), some_documents(3, 2)
    joined = Joined([Documents(first), Documents([]), Documents(second)])
    assert read(joined) == [*first, *second]
    chosen = Chosen(joined, [6, 0, 0])
    assert read(chosen) == [second[2], first[0], first[0]]
    assert chosen.lengths == [len(document.token_ids) for document in read(chosen)]
    assert chosen.num_targets == [sum(document.learned[1:]) for document in read(chosen)]
