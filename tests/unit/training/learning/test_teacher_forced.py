"""Accuracy by kind of token, given the right prefix."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.documents.encode import encode_chats
from steiner.training.learning.teacher_forced import kinds_of, teacher_forced_accuracy
from steiner.training.traces.render import trace_to_json


class Oracle:
    """Foretells every token of the text that it is shown but those of one kind, where it says the first id."""

    def __init__(self, vocabulary: int, wrong: set[int]) -> None:
        self.vocabulary, self.wrong, self.whole = vocabulary, wrong, torch.zeros(0)

    def eval(self) -> None:
        """Has no dropout."""

    def __call__(self, input_ids: torch.Tensor) -> Any:
        following = torch.cat([input_ids[:, 1:], input_ids[:, -1:]], dim=1)
        for token_id in self.wrong:
            following = following.masked_fill(following == token_id, 0)
        return SimpleNamespace(logits=torch.nn.functional.one_hot(following, self.vocabulary).float())


@pytest.fixture(scope="module")
def records(examples: list[Any]) -> list[dict[str, Any]]:
    return [
        {"prompt": e.family.prompt(e.problem), "guess": e.trace.answer, **trace_to_json(e.trace)}
        for e in examples
    ]


def test_every_token_has_a_kind(tokenizer: PreTrainedTokenizerFast) -> None:
    names = [section.name for section in STEINER.sections]
    assert names == ["understanding", "next_step", "verification", "summary"]
    text = (
        f"user{STEINER.reasoning_start}{STEINER.step_start}"
        "<|reasoning_step_understanding_start|>Oslo<|reasoning_step_understanding_end|>"
        "<|reasoning_step_verification_start|>Oslo<|reasoning_refuted|><|reasoning_step_verification_end|>"
        f"{STEINER.step_end}{STEINER.backtrack}0{STEINER.step_start}{STEINER.step_end}{STEINER.proceed}"
        f"{STEINER.reasoning_end}Oslo<|im_end|>"
    )
    assert kinds_of(tokenizer.encode(text, add_special_tokens=False), tokenizer) == [
        "prompt", "marker", "marker",
        "marker", "understanding", "understanding",
        "marker", "verification", "verdict", "verification",
        "marker", "decision", "depth", "marker", "marker", "decision",
        "decision", "answer", "answer",
    ]  # fmt: skip


def test_a_kind_that_is_never_foretold_has_none_right(
    records: list[dict[str, Any]], tokenizer: PreTrainedTokenizerFast
) -> None:
    documents = list(encode_chats(records, tokenizer, "search", 0.0, 1))
    verdicts = set(tokenizer.convert_tokens_to_ids([STEINER.verified, STEINER.refuted]))
    accuracy = teacher_forced_accuracy(Oracle(len(tokenizer), verdicts), tokenizer, documents)
    assert set(accuracy) == {
        "answer", "decision", "depth", "marker", "next_step", "summary", "understanding", "verdict", "verification",
    }  # fmt: skip
    assert accuracy.pop("verdict") == 0.0
    # The last token of a batch's longest document is not shown to the oracle.
    assert accuracy.pop("answer") > 0.9
    assert set(accuracy.values()) == {1.0}
