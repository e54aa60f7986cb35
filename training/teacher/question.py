"""Questions with their right answers, from a JSON Lines or a Parquet file, and whether an answer is the right one."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from steiner.training.teacher.config import Completions, Questions, TeachError
from steiner.training.teacher.markers import marker_in

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:/\d+)?(?:e[-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        answer: the right one.
        fields: whatever else the record has, as text; prompts may use it.
    """

    id: str
    text: str
    answer: str
    fields: Mapping[str, str] = field(default_factory=dict)


def read_questions(settings: Questions) -> list[Question]:
    """The questions of a run, in the file's order.

    Raises:
        TeachError: the file cannot be read; a record lacks a field, has an empty one or spells a special token; two
            have the same id; or there are none.
    """
    named = (settings.id_field, settings.question_field, settings.answer_field)
    questions: list[Question] = []
    seen: set[str] = set()
    for place, record in _records(settings.file):
        if len(questions) == settings.limit:
            break
        texts = {name: _text(value) for name, value in record.items()}
        if missing := [name for name in named if not texts.get(name)]:
            raise TeachError(f"{place}: {', '.join(missing)} missing or empty; there are {sorted(record)}.")
        if marker := next(filter(None, map(marker_in, texts.values())), None):
            raise TeachError(f"{place}: {marker} is spelled as a special token is; write it another way.")
        identity, text, answer = (texts.pop(name) for name in named)
        if identity in seen:
            raise TeachError(f"{place}: {settings.id_field} {identity!r} stands there twice.")
        seen.add(identity)
        questions.append(Question(identity, text, answer, texts))
    if not questions:
        raise TeachError(f"{settings.file} has no questions.")
    return questions


def is_right(settings: Completions, answer: str, right: str) -> bool:
    """Compare as the run says; an answer in which the pattern or the number is not found is wrong."""
    if settings.answer_pattern is not None:
        found = re.search(settings.answer_pattern, answer)
        if found is None or found[1] is None:
            return False
        answer = found[1]
    if settings.judge == "text":
        return bool(answer) and _plain(answer) == _plain(right)
    given, wanted = _number(answer), _number(right)
    return given is not None and given == wanted


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("$", "")
    return " ".join(folded.split()).rstrip(".")


def _number(text: str) -> Fraction | None:
    """The only number of a text; thousands may be set apart by commas."""
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", _plain(text)).replace("\u2212", "-")
    found = _NUMBER.findall(plain)
    if len(found) != 1:
        return None
    try:
        return Fraction(found[0])
    except (ValueError, ZeroDivisionError):
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                rows = (row for batch in file.iter_batches(1_000) for row in batch.to_pylist())
                for number, row in enumerate(rows, 1):
                    yield f"{path}, row {number}", row
            return
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{path}, line {number}", _object(line, f"{path}, line {number}")
    except OSError as error:
        raise TeachError(f"{path}: {error.strerror}.") from error
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise TeachError(f"{path}: {error}") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise TeachError(f"{place}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise TeachError(f"{place}: must be an object, one a line.")
    return record
