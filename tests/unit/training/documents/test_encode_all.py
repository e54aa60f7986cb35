"""The same documents, however many processes encode them and however the records are shared out."""

from collections.abc import Callable
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from steiner.training.config.recipe import Recipe
from steiner.training.data.dialogues import dialogue_record
from steiner.training.documents import encode_all as module
from steiner.training.documents.encode import encode_chats, encode_plain
from steiner.training.documents.encode_all import ChatEncoding, PlainEncoding, encode_all

pytestmark = pytest.mark.slow


@pytest.fixture
def records(recipe_of: Callable[..., Recipe]) -> list[Any]:
    data = {"routes": {"problems": 20, "sizes": [{"size": 4, "folded": 0.5}], "dialogues": 30}}
    recipe = recipe_of(data=data)
    return [dialogue_record(recipe, "routes", number) for number in range(30)]


@pytest.mark.parametrize(("workers", "batch"), [(1, 4), (2, 7)])
def test_any_number_of_processes(
    records: list[Any],
    tokenizer: PreTrainedTokenizerFast,
    workers: int,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH_RECORDS", batch)
    chats = encode_all(records, 30, ChatEncoding(tokenizer, "search", 0.5, 3, 4), workers)
    assert chats == list(encode_chats(records, tokenizer, "search", 0.5, 3, 4))
    assert len(chats) > len(records)
    plain = encode_all(records, 30, PlainEncoding(tokenizer), workers)
    assert plain == list(encode_plain(records, tokenizer))
