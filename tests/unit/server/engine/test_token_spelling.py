"""Tokens by themselves: text as in the middle of a text, bytes as they are."""

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from steiner.server.engine.base import TokenLogprobs
from steiner.server.engine.token_spelling import TokenSpelling


@pytest.mark.parametrize("text", ["make 22 from 15 4 11", "Zoë → 東京 🏔️", " a\n\nb ", "\ufffd"])
def test_the_bytes_of_a_texts_tokens_are_its_own(tokenizer: Any, text: str) -> None:
    spelling = TokenSpelling(tokenizer, ())
    ids = tokenizer.encode(text, add_special_tokens=False)
    spelled = [bytes(spelling.spell(*pair).bytes) for pair in zip(ids, [None, *ids], strict=False)]
    assert b"".join(spelled).decode() == tokenizer.decode(ids) == text


def test_a_part_of_a_character_is_a_replacement_with_its_byte(tokenizer: Any) -> None:
    spelling = TokenSpelling(tokenizer, ())
    _, *ids = tokenizer.encode("🏔", add_special_tokens=False)
    for previous_ids in ([None, *ids], [ids[-1]] * len(ids), [None] * len(ids)):
        spelled = [spelling.spell(*pair) for pair in zip(ids, previous_ids, strict=False)]
        assert {one.text for one in spelled} == {"\ufffd"}
        assert [byte for one in spelled for byte in one.bytes] == list("🏔".encode())


def test_a_space_that_the_decoder_drops_is_none_of_the_token(tokenizer: Any) -> None:
    spelling = TokenSpelling(tokenizer, {0})
    [left] = tokenizer.encode("left", add_special_tokens=False)
    line_feed = tokenizer.convert_tokens_to_ids("\n")
    assert [spelling.spell(left, previous).text for previous in (None, 0, line_feed)] == ["left"] * 3
    assert spelling.spell(left, left).text == " left"


def test_a_vocabulary_of_pieces_with_byte_tokens() -> None:
    """Llama's decoder: it strips the first piece's space, which no piece in a text's middle loses."""
    pieces = ["<unk>", "a", "▁make", *(f"<0x{byte:02X}>" for byte in "é".encode())]
    backend = Tokenizer(
        models.BPE(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], unk_token="<unk>")
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    spelling = TokenSpelling(PreTrainedTokenizerFast(tokenizer_object=backend), ())
    assert spelling.spell(2, 1) == (" make", tuple(b" make"))
    assert spelling.spell(2, None) == ("make", tuple(b"make"))
    assert [spelling.spell(index, index - 1) for index in (3, 4)] == [
        ("\ufffd", (0xC3,)),
        ("\ufffd", (0xA9,)),
    ]


def test_what_the_engine_told_in_openais_shape(tokenizer: Any) -> None:
    make, left = (tokenizer.encode(word, add_special_tokens=False)[0] for word in ("make", "left"))
    told = TokenLogprobs(-0.5, ((make, -0.5), (left, -1.5)))
    token = TokenSpelling(tokenizer, ()).answer_token(make, told, None)
    assert token.model_dump(mode="json") == {
        "token": "make",
        "logprob": -0.5,
        "bytes": list(b"make"),
        "top_logprobs": [
            {"token": "make", "logprob": -0.5, "bytes": list(b"make")},
            {"token": "left", "logprob": -1.5, "bytes": list(b"left")},
        ],
    }
