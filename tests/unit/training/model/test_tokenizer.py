"""The tiny tokenizer: words and numbers are one token, all other text is spelled, no text forges a marker."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.model.tokenizer import MAX_NUMBER, ROLES, build_tokenizer, family_words, special_tokens

MARKERS = special_tokens()
# U+2581 stands for the blank in the pieces.
UNICODE = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"), max_size=60)
SNIPPETS = st.sampled_from(
    [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        ",",
        " ,",
        "Oslo",
        "Oslos",
        "17",
        "199",
        "200",
        "<0x41>",
        "<unk>",
        "\u2582",
        "é",
    ]
)
TEXTS = st.one_of(UNICODE, st.lists(st.one_of(SNIPPETS, UNICODE), max_size=8).map("".join)).filter(
    lambda text: not any(marker in text for marker in MARKERS)
)


def encode(tokenizer: PreTrainedTokenizerFast, text: str, **options: bool) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False, **options)
    return ids


@given(text=TEXTS)
@example(text="")
@example(text=" ")
@example(text="\n \n")
@example(text="a\u0301\u0000\ufffd\U0010ffff")
def test_any_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(encode(tokenizer, text)) == text


@given(text=TEXTS, other=TEXTS)
def test_different_texts_have_different_tokens(
    tokenizer: PreTrainedTokenizerFast, text: str, other: str
) -> None:
    assert (encode(tokenizer, text) == encode(tokenizer, other)) == (text == other)


@given(parts=st.lists(st.one_of(st.sampled_from(MARKERS), TEXTS), max_size=6))
def test_markers_in_user_text_become_ordinary_tokens(
    tokenizer: PreTrainedTokenizerFast, parts: list[str]
) -> None:
    text = "".join(parts)
    ids = encode(tokenizer, text, split_special_tokens=True)
    assert not set(ids) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(ids) == text
    # The option holds for its call alone.
    assert encode(tokenizer, MARKERS[3]) == [tokenizer.convert_tokens_to_ids(MARKERS[3])]


def test_every_number_up_to_the_largest_is_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = [encode(tokenizer, str(number)) for number in range(MAX_NUMBER + 1)]
    assert {len(of_one) for of_one in ids} == {1}
    assert len({of_one[0] for of_one in ids}) == MAX_NUMBER + 1
    assert len(encode(tokenizer, str(MAX_NUMBER + 1))) > 1


def test_every_word_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    rng = random.Random(0)
    words = [word for word in family_words() if word != ","]
    for word in words:
        (token_id,) = encode(tokenizer, word)
        before, behind = rng.choice(words), rng.choice(words)
        assert encode(tokenizer, f"{before} {word} {behind}")[1] == token_id
        assert encode(tokenizer, f"\n{word}")[-1] == token_id
        assert encode(tokenizer, f"{STEINER.step_start}{word}{STEINER.step_end}")[1] == token_id


def test_a_comma_behind_a_word_is_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    (oslo,), (bern,) = encode(tokenizer, "Oslo"), encode(tokenizer, "Bern")
    first, comma, second = encode(tokenizer, "Oslo, Bern")
    assert (first, second) == (oslo, bern)
    assert tokenizer.convert_ids_to_tokens(comma) == ","


def test_a_word_that_only_looks_like_a_known_one_is_spelled(tokenizer: PreTrainedTokenizerFast) -> None:
    for text in ("Oslos", "XOslo", "oslo", "Osl\u043e", "200", "017"):
        assert len(encode(tokenizer, text)) > 1


def test_special_tokens_are_the_protocols_and_the_turns(tokenizer: PreTrainedTokenizerFast) -> None:
    assert ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *STEINER.special_tokens] == MARKERS
    ids = tokenizer.convert_tokens_to_ids(MARKERS)
    assert ids == list(range(ids[0], ids[0] + len(MARKERS)))
    assert set(tokenizer.all_special_ids) == set(ids)
    for marker, token_id in zip(MARKERS, ids, strict=True):
        assert encode(tokenizer, f"x{marker}y").count(token_id) == 1
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token == "<|endoftext|>"


def test_the_vocabulary_has_no_gap(tokenizer: PreTrainedTokenizerFast) -> None:
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))


def test_words_depend_on_nothing_but_the_families() -> None:
    assert family_words() == family_words()
    assert family_words() == sorted(set(family_words()))
    assert set(ROLES) <= set(family_words())
    first, second = (build_tokenizer(family_words(), 64) for _ in range(2))
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
    assert first.model_max_length == 64


@pytest.mark.parametrize("generation", [False, True])
def test_the_chat_template_is_chatml(tokenizer: PreTrainedTokenizerFast, generation: bool) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "make 3 from 1 2"},
        {"role": "assistant", "content": "1 + 2"},
        {"role": "user", "content": "again"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation)
    assert text == (
        "<|im_start|>system\nbe brief<|im_end|>\n"
        "<|im_start|>user\nmake 3 from 1 2<|im_end|>\n"
        "<|im_start|>assistant\n1 + 2<|im_end|>\n"
        "<|im_start|>user\nagain<|im_end|>\n" + "<|im_start|>assistant\n" * generation
    )


def test_what_the_assistant_generates_ends_with_the_end_of_its_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    messages = [{"role": "user", "content": "make 3 from 1 2"}, {"role": "assistant", "content": "1 + 2"}]
    encoded = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    generated = [token_id for token_id, flag in pairs if flag]
    assert generated == encode(tokenizer, "1 + 2<|im_end|>")
