"""Prompts for models laid out as Llama 3, Mistral, Gemma and Phi-3."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.family_tokenizers import FAMILIES
from transformers import PreTrainedTokenizerFast

from steiner.server.intake.prompts import PromptEncoder, PromptError, Turn

TOKENIZERS = {name: build() for name, build in FAMILIES.items()}
SYSTEM, QUESTION, ANSWER = Turn("system", "Be brief."), Turn("user", "he?"), Turn("assistant", "he.")
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@pytest.fixture(params=TOKENIZERS, scope="module")
def any_family(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return TOKENIZERS[request.param]


def ids_by_template(tokenizer: PreTrainedTokenizerFast, *turns: Turn) -> Any:
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)


def encoded(tokenizer: PreTrainedTokenizerFast, *turns: Turn) -> list[int]:
    return PromptEncoder(tokenizer, ()).encode_now(turns)


@settings(deadline=None, max_examples=60)
@given(first=TEXTS, second=TEXTS, third=TEXTS)
def test_a_conversation_has_the_ids_of_the_chat_template(
    any_family: PreTrainedTokenizerFast, first: str, second: str, third: str
) -> None:
    turns = (Turn("user", first), Turn("assistant", second), Turn("user", third))
    assert encoded(any_family, *turns) == ids_by_template(any_family, *turns)


def test_there_is_one_bos_though_the_tokenizer_would_add_another(any_family: PreTrainedTokenizerFast) -> None:
    ids = encoded(any_family, QUESTION)
    assert ids[0] == any_family.bos_token_id
    assert ids.count(any_family.bos_token_id) == 1
    assert any_family.encode("he")[0] == any_family.bos_token_id


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(TEXTS, min_size=3, max_size=3), data=st.data())
def test_text_that_spells_markers_changes_no_other_id(
    any_family: PreTrainedTokenizerFast, texts: list[str], data: st.DataObject
) -> None:
    marker = data.draw(st.sampled_from(sorted(any_family.all_special_tokens)))
    turns = [Turn(role, text) for role, text in zip(("user", "assistant", "user"), texts, strict=True)]  # type: ignore[arg-type]
    plain = encoded(any_family, *turns)
    forged = encoded(any_family, *turns[:2], Turn("user", f"he{marker}he"))
    special = set(any_family.all_special_ids)
    assert sum(i in special for i in plain) == sum(i in special for i in forged)
    # All before the last text is spelled token by token, for the sake of the marker, and yet the same.
    ordinary = encoded(any_family, *turns[:2], Turn("user", "he"))
    same = next(i for i, (a, b) in enumerate(zip(forged, ordinary, strict=False)) if a != b)
    last = (
        max(i for i, token_id in enumerate(ordinary[:-8]) if token_id in special) if len(ordinary) > 8 else 0
    )
    assert same >= last


def test_a_system_message_is_never_lost(any_family: PreTrainedTokenizerFast) -> None:
    for instructing in (SYSTEM, Turn("developer", "Be brief.")):
        told = any_family.decode(encoded(any_family, instructing, QUESTION))
        assert told.count("Be brief.") == 1
        assert told.index("Be brief.") < told.index("he?")


@pytest.mark.parametrize("family", ["gemma", "phi 3"])
def test_where_there_is_no_place_for_it_the_user_says_it(family: str) -> None:
    tokenizer = TOKENIZERS[family]
    for turns in ([SYSTEM, QUESTION], [SYSTEM, QUESTION, ANSWER, QUESTION]):
        said = [Turn("user", "Be brief.\n\nhe?"), *turns[2:]]
        assert encoded(tokenizer, *turns) == ids_by_template(tokenizer, *said)


def test_neighbours_of_one_role_are_joined_where_roles_must_alternate() -> None:
    for family in ("gemma", "mistral"):
        given = [QUESTION, Turn("user", "Well?"), ANSWER, Turn("assistant", "So."), QUESTION]
        joined = [Turn("user", "he?\n\nWell?"), Turn("assistant", "he.\n\nSo."), QUESTION]
        assert encoded(TOKENIZERS[family], *given) == ids_by_template(TOKENIZERS[family], *joined)


def test_a_later_system_message_stays_at_its_place() -> None:
    given = [SYSTEM, QUESTION, ANSWER, Turn("system", "Now in French."), QUESTION]
    for family, first in (("mistral", [SYSTEM, QUESTION]), ("gemma", [Turn("user", "Be brief.\n\nhe?")])):
        wanted = [*first, ANSWER, Turn("user", "Now in French.\n\nhe?")]
        assert encoded(TOKENIZERS[family], *given) == ids_by_template(TOKENIZERS[family], *wanted)


def test_what_a_template_takes_is_left_as_it_is() -> None:
    given = [SYSTEM, QUESTION, Turn("user", "Well?")]
    assert encoded(TOKENIZERS["llama 3"], *given) == ids_by_template(TOKENIZERS["llama 3"], *given)


def test_what_no_order_helps_is_refused_in_the_templates_words() -> None:
    with pytest.raises(PromptError, match="must alternate"):
        encoded(TOKENIZERS["gemma"], ANSWER, QUESTION)


def test_tools_are_told_without_a_system_role() -> None:
    tool = {"type": "function", "function": {"name": "weather", "description": "Now.", "parameters": {}}}
    for family, tokenizer in TOKENIZERS.items():
        told = tokenizer.decode(PromptEncoder(tokenizer, ()).encode_now([QUESTION], [tool]))
        assert '"weather"' in told, family
        assert told.index('"weather"') < told.index("he?"), family
