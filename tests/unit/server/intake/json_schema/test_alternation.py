"""Texts as one regular expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.server.intake.json_schema.alternation import MAX_DEPTH, one_of_texts

TEXTS = st.lists(st.text(st.sampled_from("ab.*é\n"), max_size=5), min_size=1, max_size=8)


def python(regex: str) -> str:
    """Rust's spelling of a code point is not Python's."""
    return re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), regex)


@given(texts=TEXTS, others=TEXTS)
def test_those_texts_fit_and_no_others(texts: list[str], others: list[str]) -> None:
    pattern = re.compile(python(one_of_texts(texts)))
    for text in (*texts, *others):
        assert bool(pattern.fullmatch(text)) == (text in texts)


def test_what_is_shared_is_written_once() -> None:
    assert one_of_texts(["value1", "value2", "value"]) == "value(?:1|2)?"


@pytest.mark.parametrize("number", [MAX_DEPTH - 1, MAX_DEPTH + 5, 500])
def test_texts_within_texts_stay_readable(number: int) -> None:
    texts = ["x" * length for length in range(number)]
    regex = one_of_texts(texts)
    assert regex.count("(?:") <= MAX_DEPTH + 2
    assert all(re.fullmatch(regex, text) for text in texts)
    assert not re.fullmatch(regex, "x" * number)
