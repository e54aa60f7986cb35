"""Accuracy by kind of token, given the right prefix."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from steiner.cli.main import app
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe
from steiner.training.data.shards import DataError
from steiner.training.data.writing import write_data
from steiner.training.documents.encode import encode_chats
from steiner.training.learning.teacher_forced import checkpoint_accuracy, kinds_of, teacher_forced_accuracy
from steiner.training.random_checkpoint import write_random_checkpoint
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


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "nano"
    write_random_checkpoint(folder)
    return folder


def test_the_command_prints_every_kind_of_a_checkpoint(
    checkpoint: Path, recipe_of: Callable[..., Recipe]
) -> None:
    recipe = recipe_of()
    data = recipe.output / "data"
    write_data(recipe, workers=1)
    command = ["eval", str(checkpoint), "--teacher-forced", str(data), "--limit", "4"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    rows = dict(re.findall(r"│ ([a-z ]+?) +│ +([\d.]+)% +│", done.stdout))
    assert done.exit_code == 0
    assert set(rows) >= {"understanding", "next step", "verdict", "decision", "answer"}
    measured = checkpoint_accuracy(checkpoint, data, "search", 4)
    assert {kind.replace("_", " "): f"{share:.1%}" for kind, share in measured.items()} == {
        kind: f"{share}%" for kind, share in rows.items()
    }
    # Random weights know nothing, whatever they say most.
    assert measured["next_step"] < 0.5


def test_data_that_are_not_complete_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not complete"):
        checkpoint_accuracy(checkpoint, tmp_path, "search", 4)
