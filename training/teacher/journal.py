"""Every answer that was paid for, in a file of JSON Lines: what is in it is never asked again."""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from steiner.training.config.files import whole_lines
from steiner.training.teacher.config import TeachError
from steiner.training.teacher.prompts import CallKind


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the teacher.

    Attributes:
        reasoning_steps: as a Steiner server sends them, None from others.
        cut_off: stopped by the token limit.
        cost: in the currency of the run.
    """

    kind: CallKind
    content: str
    reasoning_steps: list[Any] | None
    cut_off: bool
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(slots=True)
class Spending:
    """Totals of one kind of call."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def request_key(body: Mapping[str, Any], number: int) -> str:
    """Identity of a call: all that is sent, and which of several equal ones it is."""
    text = json.dumps([body, number], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """The answers by the keys of their requests; one process at a time writes it.

    A line is on the disk before the answer is used. A last line that a kill has torn is cut off. Answers stay in the
    file and only their places are held in memory.

    Attributes:
        spending: totals by kind of call, of all that the file holds.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self.spending: dict[CallKind, Spending] = {
            kind: Spending() for kind in ("attempt", "hidden", "revealed")
        }
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self._file = path.open("rb" if read_only else "r+b") if path.exists() else None
        if self._file is None:
            return
        if not read_only:
            self._lock()
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def spent(self) -> float:
        """All that the file's answers did cost."""
        return sum(total.cost for total in self.spending.values())

    def get(self, key: str) -> Reply | None:
        """The answer to a request, None if it was not paid for yet."""
        if self._file is None or key not in self._places:
            return None
        begin, length = self._places[key]
        self._file.seek(begin)
        return _reply(json.loads(self._file.read(length)))

    def add(self, key: str, reply: Reply) -> None:
        """Keep an answer; on return it is on the disk.

        Raises:
            TeachError: it cannot be written.
        """
        if self._file is None:
            raise ValueError("The journal was opened to be read.")
        line = json.dumps({"key": key, **asdict(reply)}, ensure_ascii=False).encode() + b"\n"
        try:
            begin = self._file.seek(0, os.SEEK_END)
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise TeachError(f"{self._path}: {error.strerror}; the last answer is lost.") from error
        self._take(key, reply, begin, len(line))

    def _lock(self) -> None:
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise TeachError(
                f"{self._path}: another process asks the teacher for the same run; wait for it or stop it."
            ) from error

    def _load(self) -> None:
        """Note every whole line."""
        assert self._file is not None
        for number, (begin, line) in enumerate(whole_lines(self._file), 1):
            try:
                fields = json.loads(line)
                self._take(fields["key"], _reply(fields), begin, len(line))
            except (ValueError, KeyError, TypeError) as error:
                self._file.close()
                raise TeachError(
                    f"{self._path}, line {number}: not an answer as this version keeps it ({error}). "
                    "Remove the line: its call will be paid for again."
                ) from error

    def _take(self, key: str, reply: Reply, begin: int, length: int) -> None:
        self._places[key] = (begin, length)
        total = self.spending[reply.kind]
        total.calls += 1
        total.prompt_tokens += reply.prompt_tokens
        total.completion_tokens += reply.completion_tokens
        total.cost += reply.cost


def _reply(fields: Mapping[str, Any]) -> Reply:
    return Reply(**{name: fields[name] for name in Reply.__dataclass_fields__})
