"""What an evaluation has asked is not asked again."""

import os
from pathlib import Path

import pytest

from steiner.training.evals.journal import AnswerJournal, identity_of, journal_path


def test_what_was_added_is_found_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    first = AnswerJournal(path)
    assert (len(first), first.find("held-out", "問", None)) == (0, None)
    assert not path.parent.exists()
    first.add({"answer": "22\n"}, "held-out", "問", None)
    first.add({"answer": "23"}, "held-out", "問", 1)
    # Before it is closed, as after a kill.
    second = AnswerJournal(path)
    first.close()
    assert len(second) == 2
    assert second.find("held-out", "問", None) == {"answer": "22\n"}
    assert second.find("held-out", "問", 1) == {"answer": "23"}
    assert second.find("held-out", "問", 2) is None
    with pytest.raises(KeyboardInterrupt), second:
        raise KeyboardInterrupt
    assert path.exists()
    with second:
        second.add({}, "last")
    assert not path.exists()


@pytest.mark.parametrize("torn", [b'[["b"], {"an', b"[", '[["b"], {"answer": "問'.encode()[:-1]])
def test_a_torn_line_is_dropped_and_what_follows_is_whole(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "answers.jsonl"
    first = AnswerJournal(path)
    first.add({"answer": "1"}, "a")
    first.close()
    with path.open("ab") as file:
        file.write(torn)
    second = AnswerJournal(path)
    assert (len(second), second.find("b")) == (1, None)
    second.add({"answer": "2"}, "b")
    second.close()
    third = AnswerJournal(path)
    assert third.find("a") == {"answer": "1"}
    assert third.find("b") == {"answer": "2"}


def test_every_evaluation_has_a_file_of_its_own(tmp_path: Path) -> None:
    said = [
        ("steiner eval", "a"),
        ("steiner eval", "b"),
        ("steiner eval --seed 2", "a"),
        ("steiner evala", ""),
    ]
    assert len({journal_path(tmp_path, *made_by) for made_by in said}) == len(said)
    assert journal_path(tmp_path, *said[0]) == journal_path(tmp_path, *said[0])


def test_other_weights_are_another_identity(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1")
    (tmp_path / "eval").mkdir()
    before = identity_of(tmp_path)
    assert before == identity_of(tmp_path)
    # As many bytes, written later.
    os.utime(weights, ns=(1, weights.stat().st_mtime_ns + 1))
    assert identity_of(tmp_path) != before
