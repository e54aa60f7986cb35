"""Token ids as llguidance reads them."""

from typing import Any

import pytest
from tests.grammar_mask import Mask

from steiner.reasoning.grammar.rules import any_but, in_a_row


@pytest.mark.parametrize(
    ("excluded", "text"),
    [
        ((), "<[0-99]>"),
        ((99,), "<[0-98]>"),
        ((0, 1), "<[2-99]>"),
        ((50, 3, 49, 51), "<[0-2,4-48,52-99]>"),
        ((98, 120), "<[0-97,99-99]>"),
    ],
)
def test_any_but_names_what_may_come(excluded: tuple[int, ...], text: str, tokenizer: Any) -> None:
    assert any_but(excluded, 100) == text
    mask = Mask(tokenizer, f"start: {text}\n", len(tokenizer) + 7)
    assert mask.ids() == set(range(100)) - set(excluded)


def test_ids_in_a_row_come_in_this_order(tokenizer: Any) -> None:
    mask = Mask(tokenizer, f"start: {in_a_row([7, 3, 7])}\n", len(tokenizer))
    for token_id in (7, 3, 7):
        assert mask.ids() == {token_id}
        assert mask.accept(token_id)
    assert mask.has_ended
