"""Questions of GSM8K and BIG-Bench Hard, from files in the format they are published in. Nothing is downloaded.

Sources: arXiv 2110.14168 (GSM8K: https://github.com/openai/grade-school-math), arXiv 2210.09261 (BIG-Bench Hard:
https://github.com/suzgunmirac/BIG-Bench-Hard).
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from steiner.reasoning.errors import SteinerError

CLOSING = "End your reply with a line that has only the result, in this form:\nAnswer: RESULT"
ANNOUNCED = re.compile(r"answer\s*(?:is)?\s*:?\s*(.+)", re.IGNORECASE)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
CHOICE = re.compile(r"\(([A-Z])\)")
MARKUP = " \t*`$.\"'"


class QuestionsError(SteinerError):
    """A file of questions cannot be read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class PublishedQuestion:
    """One question.

    Attributes:
        family: "gsm8k", or "bbh/" and the task.
        prompt: the question as it is published, and how to close the reply.
        target: the published result.
    """

    family: str
    prompt: str
    target: str
    size: int = 0

    def accepts(self, answer: str) -> bool:
        """Whether a reply's last announced result, or else its last line, is the published one.

        Numbers of GSM8K are compared as numbers, letters of choices as letters, all else without case or markup.
        """
        told = result_in(answer)
        if self.family == "gsm8k":
            return _last_number(told) == Decimal(self.target)
        if CHOICE.fullmatch(self.target):
            letters = CHOICE.findall(told) or re.findall(r"^[A-Z](?=$|[\s.:)])", told.strip(MARKUP))
            return letters[-1:] == [self.target.strip("()")]
        return _plain(told) == _plain(self.target)


def result_in(reply: str) -> str:
    """What stands behind the last "Answer:" or "the answer is", else the last line that is not empty."""
    lines = [line.strip(MARKUP) for line in reply.splitlines()]
    for line in reversed(lines):
        announced = ANNOUNCED.search(line)
        if announced:
            return announced[1].strip(MARKUP)
    return next((line for line in reversed(lines) if line), "")


def read_questions(named: Sequence[str], limit: int | None, seed: int) -> list[PublishedQuestion]:
    """Questions of `gsm8k=FILE` and `bbh=FILE`, in this order.

    Args:
        limit: so many of each file, drawn with the seed; all if None.

    Raises:
        QuestionsError: an unknown name, or a file that is not as published.
    """
    questions: list[PublishedQuestion] = []
    for text in named:
        name, _, path = text.partition("=")
        if name not in ("gsm8k", "bbh") or not path:
            raise QuestionsError(f"Cannot read {text!r}; write gsm8k=test.jsonl or bbh=TASK.json.")
        found = list(_gsm8k(Path(path)) if name == "gsm8k" else _bbh(Path(path)))
        drawn = limit is not None and limit < len(found)
        questions += random.Random(seed).sample(found, limit) if drawn and limit else found
    return questions


def _gsm8k(path: Path) -> Iterable[PublishedQuestion]:
    for row in _rows(path, are_lines=True):
        result = str(row.get("answer", "")).rpartition("####")[2].strip().replace(",", "")
        if "question" not in row or _last_number(result) is None:
            raise QuestionsError(
                f"{path} is not GSM8K as published: lines with `question` and `answer`, #### 42."
            )
        yield PublishedQuestion("gsm8k", f"{row['question']}\n\n{CLOSING}", result)


def _bbh(path: Path) -> Iterable[PublishedQuestion]:
    for row in _rows(path, are_lines=False):
        if not {"input", "target"} <= row.keys():
            raise QuestionsError(
                f"{path} is not a task of BBH as published: `examples` with `input` and `target`."
            )
        yield PublishedQuestion(f"bbh/{path.stem}", f"{row['input']}\n\n{CLOSING}", str(row["target"]))


def _rows(path: Path, *, are_lines: bool) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(map(json.loads, text.splitlines())) if are_lines else json.loads(text)["examples"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuestionsError(f"{path} cannot be read as published questions: {error}") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise QuestionsError(f"{path} has no questions.")
    return list(rows)


def _last_number(text: str) -> Decimal | None:
    found = NUMBER.findall(text)
    try:
        return Decimal(found[-1].replace(",", "")) if found else None
    except InvalidOperation:
        return None


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(MARKUP).split())
