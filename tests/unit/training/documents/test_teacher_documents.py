"""What a teacher wrote is learned beside what was generated; what must not be, or cannot be, is left out and told."""

import random
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from transformers import PreTrainedTokenizerFast

from steiner.reasoning.tasks.languages import in_language
from steiner.training.config.recipe import Recipe
from steiner.training.data.shards import DataError
from steiner.training.data.teacher_runs import read_teacher_traces
from steiner.training.data.writing import write_data
from steiner.training.documents.encode import encode_chats, encode_plain
from steiner.training.documents.encode_all import ChatEncoding, PlainEncoding
from steiner.training.documents.stage_documents import (
    finetuning_documents,
    pretraining_documents,
    teacher_documents,
)
from steiner.training.model.starting_model import tokenizer_of
from steiner.training.pipeline.stages import run_pipeline
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_held_out

WriteRun = Callable[..., Path]
TraceOf = Callable[..., Any]


def quiet() -> Console:
    return Console(file=StringIO(), width=200)


def prompts_of(family: str) -> tuple[str, str]:
    """Of a problem that training may see, and of one that it may not."""
    rules, found = FAMILIES[family], {}
    for seed in range(1_000):
        problem = rules.generate(random.Random(seed), 3)
        found[is_held_out(rules.canonical(problem))] = rules.prompt(problem)
        if len(found) == 2:
            return found[False], found[True]
    raise AssertionError("every problem is of the same split")


def test_the_traces_of_all_runs_as_documents_and_as_chats(
    write_teacher_run: WriteRun, teacher_trace: TraceOf, tokenizer: PreTrainedTokenizerFast
) -> None:
    traces = [teacher_trace(), teacher_trace(id="q2-0", prompt="What is 16 and 2?")]
    runs = [write_teacher_run("a", traces[:1]), write_teacher_run("b", traces[1:])]
    plain = teacher_documents(runs, tokenizer, PlainEncoding(tokenizer), quiet())
    assert plain == list(encode_plain(traces, tokenizer))
    chats = teacher_documents(runs, tokenizer, ChatEncoding(tokenizer, "search", 0.5, 3, 4), quiet())
    assert chats == list(encode_chats(traces, tokenizer, "search", 0.5, 3, 4))
    assert teacher_documents([], tokenizer, PlainEncoding(tokenizer), quiet()) == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("language", ["en", "ja", "zh"])
def test_a_held_out_problem_is_not_learned_from_a_teacher(
    family: str, language: Any, write_teacher_run: WriteRun, teacher_trace: TraceOf
) -> None:
    seen, held_out = (in_language(prompt, language) for prompt in prompts_of(family))
    run = write_teacher_run("a", [teacher_trace(prompt=prompt) for prompt in (held_out, seen, held_out)])
    assert [trace["prompt"] for trace in read_teacher_traces([run])] == [seen]


def test_what_no_sequence_holds_is_left_out_and_told(
    write_teacher_run: WriteRun, teacher_trace: TraceOf, tokenizer: PreTrainedTokenizerFast
) -> None:
    long = teacher_trace(id="q2-0", prompt="why? " * tokenizer.model_max_length)
    _, held_out = prompts_of("countdown")
    run = write_teacher_run("a", [teacher_trace(), long, teacher_trace(prompt=held_out)])
    console = quiet()
    documents = teacher_documents([run], tokenizer, PlainEncoding(tokenizer), console)
    assert documents == list(encode_plain([teacher_trace()], tokenizer))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 of 3 traces solve held-out problems, and 1 of 2 documents are longer than 2,048 tokens" in said
    nothing = write_teacher_run("b", [long])
    with pytest.raises(DataError, match=r"nothing is left to learn: 0 of 1 traces .* 1 of 1 documents"):
        teacher_documents([nothing], tokenizer, PlainEncoding(tokenizer), quiet())


def test_a_missing_run_is_named_before_any_stage_begins(
    recipe_of: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = recipe_of(teacher_runs=[tmp_path / "none"])
    with pytest.raises(DataError, match=r"none holds no finished run\. Name the `output`"):
        run_pipeline(recipe)
    assert not recipe.output.exists()


def test_both_stages_learn_from_the_teacher(
    recipe_of: Callable[..., Recipe], write_teacher_run: WriteRun, teacher_trace: TraceOf, tmp_path: Path
) -> None:
    recipe = recipe_of(
        data={"countdown": {"problems": 40, "sizes": [{"size": 3}], "drills": 20}},
        cpt={"tokens": 3_000},
        sft={"tokens": 3_000, "cut": 0.0},
        teacher_runs=[write_teacher_run("a", [teacher_trace()])],
    )
    assert recipe.cpt is not None
    write_data(recipe)
    tokenizer = tokenizer_of(recipe)
    plain = pretraining_documents(recipe, recipe.cpt, tokenizer, tmp_path / "plain", quiet())
    chats = finetuning_documents(recipe, tokenizer, tmp_path / "chats", quiet())
    expected = [
        (list(encode_plain([teacher_trace()], tokenizer)), plain),
        (list(encode_chats([teacher_trace()], tokenizer, "search", 0.0, recipe.seed)), chats),
    ]
    for taught, documents in expected:
        assert len(documents) > len(taught)
        learned = [documents[number] for number in range(len(documents))]
        assert all(document in learned for document in taught)
