"""A section's ids as text while they come."""

from collections.abc import Callable
from typing import Any

import pytest

from steiner.reasoning.parser.decoding import SectionText, section_texts


@pytest.fixture
def new_text(tokenizer: Any) -> Callable[[], SectionText]:
    return section_texts(tokenizer.backend_tokenizer)


def test_pieces_agree_with_the_whole(new_text: Any, tokenizer: Any, ids_of: Any) -> None:
    ids = ids_of("left 15 4 11, make 22: 🙂 größer 日本")
    text = new_text()
    pieces = [text.feed([token_id]) for token_id in ids]
    assert "".join(pieces) + text.flush() == tokenizer.decode(ids) == new_text().feed(ids)
    assert "\ufffd" not in "".join(pieces)


def test_a_flush_says_what_is_held_and_begins_anew(new_text: Any, ids_of: Any) -> None:
    text = new_text()
    assert text.feed(ids_of("🙂")[:-1]).strip() == ""
    assert set(text.flush()) == {"\ufffd"}
    assert text.flush() == ""
    assert text.feed(ids_of("left")) == new_text().feed(ids_of("left"))


def test_nothing_says_nothing(new_text: Any) -> None:
    assert new_text().feed([]) == ""
    assert new_text().flush() == ""


def test_broken_bytes_are_not_held_for_ever(new_text: Any, ids_of: Any) -> None:
    first_byte = ids_of("🙂")[-4]
    text = new_text()
    said = "".join(text.feed([first_byte]) for _ in range(100))
    assert set(said) == {"\ufffd"}
    assert len(said) > 90
    assert text.feed(ids_of("left")).endswith("left")


def test_special_tokens_keep_their_spelling(new_text: Any, ids_of: Any) -> None:
    assert "<|im_start|>" in new_text().feed(ids_of("left<|im_start|>"))


def test_an_id_costs_the_same_however_long_the_section_is(tokenizer: Any, ids_of: Any) -> None:
    longest = 0

    def decode(ids: Any) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        text: str = tokenizer.backend_tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    text = SectionText(decode)
    for token_id in ids_of("left 15 make 22 ") * 100:
        text.feed([token_id])
    assert longest <= 17
