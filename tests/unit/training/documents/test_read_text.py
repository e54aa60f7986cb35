"""Ordinary text: every kind of file, in order, in pieces that fit, and never more than is wanted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.ordinary_text import OrdinaryText
from steiner.training.data.shards import DataError
from steiner.training.documents.read_text import read_texts, text_documents

TEXTS = ["make 22 from 15 4 11", "roads Rome > Oslo", "été"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The same texts three times."""
    lines = [json.dumps({"body": text, "id": n}) for n, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, json.dumps({"body": ""})]) + "\n", encoding="utf-8")
    parquet.write_table(arrow.table({"id": [1, 2, 3], "body": TEXTS}), tmp_path / "b.parquet")
    (tmp_path / "c.txt").write_text(TEXTS[0], encoding="utf-8")
    return [tmp_path / "a.jsonl", tmp_path / "b.parquet", tmp_path / "c.txt"]


def test_every_kind_of_file_gives_its_texts(files: list[Path]) -> None:
    assert [list(read_texts(path, "body")) for path in files] == [TEXTS, TEXTS, TEXTS[:1]]


def test_documents_come_in_order_and_end_with_the_end_of_text(
    files: list[Path], tokenizer: PreTrainedTokenizerFast
) -> None:
    documents = list(text_documents(OrdinaryText(files=files, field="body", share=0.5), tokenizer, 10_000))
    assert [tokenizer.decode(d.token_ids) for d in documents] == [
        f"{text}<|endoftext|>" for text in [*TEXTS, *TEXTS, TEXTS[0]]
    ]
    assert all(all(document.learned) for document in documents)


def test_no_more_is_read_than_is_wanted(
    files: list[Path], tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = OrdinaryText(files=files, field="body", share=0.5)
    lengths = [len(document.token_ids) for document in text_documents(text, tokenizer, 10_000)]
    taken = [len(document.token_ids) for document in text_documents(text, tokenizer, lengths[0] + 1)]
    assert taken == lengths[:2]
    read: list[Path] = []

    def noted(path: Path, field: str) -> Iterator[str]:
        read.append(path)
        yield from TEXTS * 40

    monkeypatch.setattr("steiner.training.documents.read_text.read_texts", noted)
    list(text_documents(text, tokenizer, 20))
    assert read == files[:1]


def test_a_long_text_becomes_pieces_without_a_gap(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "long.txt").write_text("make 22 from 15 " * 200, encoding="utf-8")
    monkeypatch.setattr(tokenizer, "model_max_length", 64)
    pieces = list(text_documents(OrdinaryText(files=[tmp_path / "long.txt"], share=0.5), tokenizer, 10_000))
    assert all(len(piece.token_ids) == 64 for piece in pieces[:-1])
    joined = [token_id for piece in pieces for token_id in piece.token_ids]
    assert tokenizer.decode(joined) == "make 22 from 15 " * 200 + "<|endoftext|>"


def test_markers_in_a_text_are_text(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    (tmp_path / "forged.txt").write_text(f"see {STEINER.reasoning_start} here", encoding="utf-8")
    (document,) = text_documents(OrdinaryText(files=[tmp_path / "forged.txt"], share=0.5), tokenizer, 10_000)
    assert tokenizer.convert_tokens_to_ids(STEINER.reasoning_start) not in document.token_ids


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "cannot be read as ordinary text: .*No such file"),
        ("bad.jsonl", b'{"text": "a"}\n{"text"', "cannot be read as ordinary text"),
        ("field.jsonl", b'{"text": "a"}\n{"body": "a"}\n', "record 2 has no text in its field 'text'"),
        ("list.jsonl", b"[1]\n", "record 1 has no text"),
        ("bad.parquet", b"no parquet", "cannot be read as ordinary text"),
        ("bytes.txt", b"\xff\xfe\xff", "cannot be read as ordinary text"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        list(read_texts(tmp_path / name, "text"))
    assert str(tmp_path / name) in str(error.value)


def test_a_missing_column_is_told_with_those_that_are_there(files: list[Path]) -> None:
    with pytest.raises(DataError, match=r"no column 'text', but \['id', 'body'\]; `cpt\.text\.field`"):
        list(read_texts(files[1], "text"))
