"""The README: one screen to the first result, short sentences, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_WORDS = 700
MAX_WIDTH = 100
MAX_SENTENCE = 25
#: Lines that a terminal or a browser shows without scrolling.
SCREEN = 45

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}\S.*$", re.MULTILINE)
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
BULLET = re.compile(r"^- ")


def sentences(text: str) -> list[str]:
    """Sentences of the prose: a cell of a table and a point of a list end one, and code is not prose."""
    prose = LINK.sub(r"\1", INDENTED.sub("", FENCED.sub("", text)))
    blocks: list[str] = [""]
    for line in prose.splitlines():
        if line.startswith("|"):
            blocks += line.strip("|").split("|")
            blocks.append("")
        elif not line.strip() or BULLET.match(line) or line.startswith("#"):
            blocks += [line.lstrip("-# ")]
            if line.startswith("#"):
                blocks.append("")
        else:
            blocks[-1] += f" {line.strip()}"
    return [
        part.strip() for block in blocks for part in re.split(r"(?<=[.!?:])[*\s]+", block) if part.strip()
    ]


def test_it_is_short() -> None:
    assert len(README.split()) <= MAX_WORDS


def test_lines_are_wrapped() -> None:
    long = [line for line in README.splitlines() if len(line) > MAX_WIDTH]
    assert not long


def test_sentences_are_short() -> None:
    found = sentences(README)
    assert len(found) > 40
    assert not [sentence for sentence in found if len(sentence.split()) > MAX_SENTENCE]


def test_a_long_sentence_would_be_seen() -> None:
    long = " ".join(["word"] * (MAX_SENTENCE + 1))
    text = f"# Title\n\nShort one. {long}\nends here.\n\n| {long} |\n\n- {long}\n"
    assert sum(len(sentence.split()) > MAX_SENTENCE for sentence in sentences(text)) == 3


def test_the_first_result_is_on_the_first_screen() -> None:
    first = "\n".join(README.splitlines()[:SCREEN])
    for wanted in (
        "make demo",
        "make test",
        "docs/pictures/demo.svg",
        "client.chat.completions.create",
        "print(",
    ):
        assert wanted in first


def test_it_has_what_a_newcomer_looks_for() -> None:
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
    assert len(re.findall(r"^- ", parts["What it does"], re.MULTILINE)) == 8
    assert parts["Does it work with my model?"].count("\n|") >= 5
    # A head, a line under it, and three figures.
    assert parts["Figures"].count("\n|") == 5


@pytest.mark.parametrize("target", sorted({target for _, target in LINK.findall(README)}))
def test_links_lead_somewhere(target: str) -> None:
    assert target.startswith("http") or (ROOT / target.partition("#")[0]).is_file()
