"""Which protocol a model is served with, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.property.conftest import byte_tokenizer
from tests.property.outline_walks import outline_tokenizer
from tokenizers import AddedToken

from steiner.reasoning.errors import PolicyError
from steiner.reasoning.options import ReasoningOptions
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocols.outline import OUTLINE
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.think import THINK
from steiner.server.model.loading import LoadError, chosen_protocol, end_of_turn_of, protocol_prompt_of
from steiner.server.settings import Settings


def test_a_chat_model_without_markers_gets_those_of_text() -> None:
    protocol, reason = chosen_protocol(Settings(), outline_tokenizer())
    assert protocol is OUTLINE
    assert "text" in reason


def test_a_model_with_markers_of_its_own_keeps_them() -> None:
    assert chosen_protocol(Settings(), byte_tokenizer(STEINER))[0] is STEINER
    assert chosen_protocol(Settings(), outline_tokenizer(thinks=True))[0] is THINK


def test_the_settings_outrank_the_tokenizer() -> None:
    protocol, reason = chosen_protocol(Settings(protocol="outline"), outline_tokenizer(thinks=True))
    assert protocol is OUTLINE
    assert "settings" in reason


def test_only_a_model_of_text_markers_is_told() -> None:
    assert protocol_prompt_of(Settings(), OUTLINE) is not None
    assert protocol_prompt_of(Settings(), STEINER) is None


def test_a_prompt_without_effect_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no effect with protocol 'steiner'"):
        protocol_prompt_of(Settings(protocol_prompt=tmp_path), STEINER)


def test_a_prompt_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        protocol_prompt_of(Settings(protocol_prompt=tmp_path / "none.txt"), OUTLINE)


@pytest.mark.parametrize(
    ("option", "reason"),
    [({"backtrack_bias": 1.0}, "text"), ({"end_bias": 1.0}, "text"), ({"memory": True}, "not trained")],
)
def test_what_text_markers_cannot_do_is_refused(option: dict[str, float], reason: str) -> None:
    with pytest.raises(PolicyError, match=reason):
        ReasoningOptions(**option).resolve(None, Policy(), OUTLINE)


@pytest.mark.parametrize(
    ("behind", "token"),
    [
        ("<end_of_turn>\n", "<end_of_turn>"),
        ("<|eot_id|>", "<|eot_id|>"),
        ("<|end|>\n<|endoftext|>", "<|end|>"),
        (" <|endoftext|>", "<|endoftext|>"),
        ("\n", None),
    ],
)
def test_a_turn_ends_as_the_chat_template_ends_it(behind: str, token: str | None) -> None:
    tokenizer = outline_tokenizer()
    ends = [AddedToken(one, special=True) for one in ("<end_of_turn>", "<|eot_id|>", "<|end|>")]
    tokenizer.add_tokens(ends, special_tokens=True)
    tokenizer.chat_template = (
        f"{{% for turn in messages %}}<|im_start|>{{{{ turn.content }}}}{behind}{{% endfor %}}"
    )
    assert end_of_turn_of(tokenizer) == token


def test_a_template_that_refuses_the_turns_leaves_the_end_of_sequence() -> None:
    tokenizer = outline_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no such turns') }}"
    assert end_of_turn_of(tokenizer) is None
