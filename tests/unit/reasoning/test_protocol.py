"""Markers resolved by name, and what is said where a tokenizer lacks them."""

from dataclasses import replace
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.errors import MissingTokenError, ProtocolError
from steiner.reasoning.protocol import MAX_DEPTH, Protocol, SectionMarkers
from steiner.reasoning.protocols import PROTOCOLS
from steiner.reasoning.protocols.steiner import STEINER
from steiner.reasoning.protocols.think import THINK


def byte_tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(BPE({char: token_id for token_id, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_every_missing_token_is_named() -> None:
    tokenizer = byte_tokenizer([token for token in STEINER.special_tokens if "verif" not in token])
    with pytest.raises(MissingTokenError, match="protocol 'steiner'") as refusal:
        STEINER.bind(tokenizer)
    assert isinstance(refusal.value, ProtocolError)
    assert set(refusal.value.missing) == {
        "<|reasoning_step_verification_start|>",
        "<|reasoning_step_verification_end|>",
        "<|reasoning_verified|>",
        "<|im_end|>",
    }
    for token in refusal.value.missing:
        assert token in str(refusal.value)


def test_all_sixteen_markers_have_ids_of_their_own(bound: Any, tokenizer: Any) -> None:
    assert len(set(STEINER.special_tokens)) == 16
    ids = tokenizer.convert_tokens_to_ids([*STEINER.special_tokens, STEINER.end_of_turn])
    sections = [token_id for section in bound.sections for token_id in (section.start_id, section.end_id)]
    assert ids == [
        bound.reasoning_start_id,
        bound.reasoning_end_id,
        bound.proceed_id,
        bound.backtrack_id,
        bound.step_start_id,
        bound.step_end_id,
        *sections,
        bound.verified_id,
        bound.refuted_id,
        bound.end_of_turn_id,
    ]
    assert bound.special_ids >= set(ids)
    assert [section.role for section in bound.sections] == [
        "understanding",
        "next_step",
        "verification",
        "summary",
    ]


def test_special_tokens_without_a_role_are_no_text_either() -> None:
    tokenizer = byte_tokenizer([*STEINER.special_tokens, "<|im_end|>", "<|box_start|>"])
    bound = STEINER.bind(tokenizer)
    assert tokenizer.convert_tokens_to_ids("<|box_start|>") in bound.special_ids
    assert bound.vocab_size == len(tokenizer) == 256 + 18


def test_depths_are_spelled_as_the_tokenizer_spells_numbers(bound: Any) -> None:
    assert {len(ids) for ids in bound.depth_ids} == {1}
    digits = STEINER.bind(byte_tokenizer([*STEINER.special_tokens, "<|im_end|>"]))
    assert len(digits.depth_ids) == MAX_DEPTH + 1
    assert [len(digits.depth_ids[depth]) for depth in (0, 9, 10, 64)] == [1, 1, 2, 2]
    assert digits.depth_ids[12] == digits.depth_ids[1] + digits.depth_ids[2]
    assert len(set(digits.depth_ids)) == MAX_DEPTH + 1


@pytest.mark.parametrize(
    ("base", "changes", "reason"),
    [
        (STEINER, {"sections": ()}, "a step needs a section"),
        (STEINER, {"step_end": None}, "a step has both markers or neither"),
        (STEINER, {"step_start": None, "step_end": None}, "decisions stand between steps"),
        (THINK, {"proceed": "<next>"}, "decisions stand between steps"),
        (THINK, {"sections": (SectionMarkers("a", "thought", "<a>"),)}, "a section has both markers"),
        (THINK, {"sections": THINK.sections * 2}, "a section without markers must be the only one"),
        (STEINER, {"refuted": None}, "verdicts come in pairs"),
        (STEINER, {"sections": STEINER.sections[:2]}, "verdicts need one verification section"),
        (STEINER, {"backtrack": None}, "only a backtrack can name a depth"),
        (STEINER, {"backtrack": STEINER.proceed}, "each marker must be another token"),
    ],
)
def test_markers_that_make_no_protocol_are_refused(
    base: Protocol, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=f"protocol '{base.name}': {reason}"):
        replace(base, **changes)


def test_a_protocol_has_the_markers_that_it_has() -> None:
    assert THINK.special_tokens == ("<think>", "</think>")
    assert (THINK.has_decisions, THINK.has_verdicts, THINK.has_limited_sections) == (False, False, False)
    assert (STEINER.has_decisions, STEINER.has_verdicts, STEINER.has_limited_sections) == (True, True, True)
    assert len({protocol.name for protocol in PROTOCOLS.values()}) == len(PROTOCOLS) == 4
