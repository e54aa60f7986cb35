"""Answers are kept as they come, so that an evaluation that was killed only asks the rest."""

import hashlib
import json
from pathlib import Path
from typing import Any, Self, TextIO

from steiner.training.config.files import whole_lines

Key = str | int | None


def journal_path(folder: Path, *made_by: str) -> Path:
    """The file that keeps the answers of one evaluation until its report is written. Another one has another file.

    Args:
        made_by: all that the answers depend on, such as the command and `identity_of`.
    """
    return folder / f"answers-{hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:12]}.jsonl"


def identity_of(path: Path) -> str:
    """Changes when a file, or one in a folder such as a checkpoint, does: names, sizes in bytes, and times."""
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    return json.dumps([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files])


class AnswerJournal:
    """Answers by their keys, as one JSON array on each line. What is added is in the file at once."""

    def __init__(self, path: Path) -> None:
        """Read the file. A line that a kill cut off is dropped, and asked again."""
        self.path = path
        self._answers: dict[tuple[Key, ...], dict[str, Any]] = {}
        self._file: TextIO | None = None
        if path.exists():
            with path.open("r+b") as file:
                for _, line in whole_lines(file):
                    key, answer = json.loads(line)
                    self._answers[tuple(key)] = answer

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, *key: Key) -> dict[str, Any] | None:
        """The answer, or None if it is still to be asked for."""
        return self._answers.get(key)

    def add(self, answer: dict[str, Any], *key: Key) -> None:
        """Keep an answer."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(json.dumps([key, answer], ensure_ascii=False) + "\n")
        self._file.flush()
        self._answers[key] = answer

    def close(self) -> None:
        """Close the file and keep it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close it. Without an error it has done its work, and the file is removed."""
        self.close()
        if kind is None:
            self.path.unlink(missing_ok=True)
