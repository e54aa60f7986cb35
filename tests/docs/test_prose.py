"""Every document: lines that fit a window, and sentences that can be read aloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "examples" / "README.md",
    ]
)
#: Written as work went on, not to be read through.
LOG = ROOT / "docs" / "log.md"
MAX_WIDTH = 100
MAX_MEAN_WORDS = 18

#: What cannot be broken: a picture, a line that is one long word, and the list that another test reads as one line.
UNBROKEN = re.compile(r"!\[|\S+$|[-*] \S+$|Reasons of ")


def prose(text: str) -> str:
    """The text without code, tables and headings."""
    fenced = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^(\||#|:::| {4}(?! *\S+ *$)).*$", "", fenced, flags=re.MULTILINE)


def sentences(text: str) -> list[str]:
    """Sentences, in which a point of a list and a colon are ends, too."""
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose(text))
    return [
        said
        for part in parts
        for said in re.split(r"(?<=[.!?:;])[)*]*\s+", " ".join(part.split()))
        if len(said.split()) > 1
    ]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_fit_a_window(page: Path) -> None:
    lines = [line for line in prose(page.read_text(encoding="utf-8")).splitlines() if len(line) > MAX_WIDTH]
    assert not [line for line in lines if not UNBROKEN.match(line)]


@pytest.mark.parametrize("page", [page for page in PAGES if page != LOG], ids=name_of)
def test_sentences_are_short(page: Path) -> None:
    lengths = [len(said.split()) for said in sentences(page.read_text(encoding="utf-8"))]
    assert sum(lengths) / max(1, len(lengths)) <= MAX_MEAN_WORDS


def test_a_long_sentence_and_a_wide_line_would_be_seen() -> None:
    text = f"# A page\n\n{' '.join(['word'] * 40)}.\n\n| {'cell ' * 40}|\n\n```\n{'code ' * 40}\n```\n"
    assert [len(said.split()) for said in sentences(text)] == [40]
    assert [len(line) > MAX_WIDTH for line in prose(text).splitlines() if line] == [True]
