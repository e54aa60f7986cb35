"""What is written is there whole, or what was there before is."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from steiner.training.config.files import PARTIAL, whole_file, whole_folder, whole_lines, write_whole


def files_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_whole(path, "first")
    with whole_file(path) as partial:
        partial.write_text("second")
        assert path.read_text() == "first"
    assert files_below(tmp_path) == {"report.json": "second"}


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: named.append((tmp_path / "report.json").exists()))
    write_whole(tmp_path / "report.json", "first")
    assert named == [False]


def test_a_folder_takes_the_place_of_the_one_before_and_of_what_a_kill_left(tmp_path: Path) -> None:
    left = tmp_path / f"model{PARTIAL}" / "stray"
    left.parent.mkdir()
    left.touch()
    for text in ("first", "second"):
        with whole_folder(tmp_path / "model") as partial:
            assert list(partial.iterdir()) == []
            (partial / "weights").write_text(text)
    assert files_below(tmp_path) == {"model/weights": "second"}


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_after_an_error_all_is_as_before(
    whole: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="full"), whole(tmp_path / "result"):
        raise OSError("full")
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_a_torn_line_is_none_and_is_cut_off_by_who_may_write(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    with path.open(mode) as file:
        assert list(whole_lines(cast(BinaryIO, file))) == [(0, b"one\n"), (4, b"two\n")]
    assert path.read_bytes() == (b"one\ntwo\n" if mode == "r+b" else b"one\ntwo\nthr")
