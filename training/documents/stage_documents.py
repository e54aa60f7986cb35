"""What a stage trains on, encoded: written once by the main process, then read by all.

What a teacher wrote makes further documents of continual pre-training and of fine-tuning.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from transformers import PreTrainedTokenizerFast

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.recipe import PretrainingStage, Recipe
from steiner.training.data.kinds import DIALOGUES, DRILLS, TRACES, Kind
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import DataError, read_records
from steiner.training.data.teacher_runs import describe_teacher_runs, read_teacher_traces
from steiner.training.documents.encode import Document
from steiner.training.documents.encode_all import Batch, ChatEncoding, PlainEncoding, encode_all
from steiner.training.documents.mixture import in_shares, mix
from steiner.training.documents.read_text import text_documents
from steiner.training.documents.token_file import Chosen, Documents, Joined, TokenFile, write_documents
from steiner.training.model.from_base import base_config
from steiner.training.model.processes import processes


def teacher_documents(
    runs: Sequence[Path],
    tokenizer: PreTrainedTokenizerFast,
    encoding: Callable[[Batch], list[Document]],
    console: Console,
) -> list[Document]:
    """The traces of `steiner teach` runs, encoded; what the model's positions do not hold is left out.

    Generated searches fit, or are taught folded. A teacher may write more than fits, and half a search teaches nothing.

    Raises:
        DataError: a folder holds no finished run, or nothing is left to learn.
    """
    if not runs:
        return []
    num_records = sum(run["records"] for run in describe_teacher_runs(runs))
    traces = list(read_teacher_traces(runs))
    encoded = encode_all(traces, len(traces), encoding)
    longest = tokenizer.model_max_length
    documents = [document for document in encoded if len(document.token_ids) <= longest]
    left_out = (
        f"{num_records - len(traces):,} of {num_records:,} traces solve held-out problems, and "
        f"{len(encoded) - len(documents):,} of {len(encoded):,} documents are longer than {longest:,} tokens"
    )
    if not documents:
        raise DataError(f"teacher_runs: nothing is left to learn: {left_out}.")
    console.print(f"  teacher: {left_out}; these are left out")
    return documents


def check_sources(recipe: Recipe) -> None:
    """Check that what a recipe takes from elsewhere is there. Otherwise it would show only after the data, which may
    take hours.

    Raises:
        DataError: a folder holds no finished run of a teacher, or a text file is not there.
        BaseError: the base cannot be used.
    """
    describe_teacher_runs(recipe.teacher_runs)
    text = recipe.cpt and recipe.cpt.text
    if missing := [str(path) for path in (text.files if text else ()) if not path.is_file()]:
        raise DataError(f"cpt.text.files: no such file: {', '.join(missing)}.")
    if isinstance(recipe.model, BaseCheckpoint):
        base_config(recipe.model)


def pretraining_documents(
    recipe: Recipe,
    stage: PretrainingStage,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    console: Console,
) -> Documents:
    """Traces, drills and ordinary text in the shares that the stage names.

    Args:
        folder: where they are written; if they already exist, they are read.

    Raises:
        ValueError: drills are wanted and there are none.
        DataError: the ordinary text cannot be read.
    """
    data = recipe.output / "data"
    plain = PlainEncoding(tokenizer)

    def traces() -> list[Document]:
        remembering = (record for record in read_records(data, TRACES) if not record["folded"])
        encoded = encode_all(remembering, _num_records(data, TRACES), plain)
        return encoded + teacher_documents(recipe.teacher_runs, tokenizer, plain, console)

    def drills() -> list[Document]:
        return encode_all(read_records(data, DRILLS), _num_records(data, DRILLS), plain)

    sources: dict[str, Callable[[], Iterable[Document]]] = {"traces": traces, "drills": drills}
    if (text := stage.text) is not None:
        sources["text"] = lambda: text_documents(text, tokenizer, round(text.share * stage.tokens))
    longest = _longest(recipe)
    parts = [_written(folder / name, encode, longest, console) for name, encode in sources.items()]
    own = mix(parts[0].lengths, parts[1].lengths, stage.drill_share, recipe.seed)
    every = Joined(parts)
    if text is None:
        return Chosen(every, own)
    ordinary = range(len(every) - len(parts[2]), len(every))
    shares = (1.0 - text.share, text.share)
    return Chosen(every, in_shares([own, ordinary], shares, every.lengths, stage.tokens, recipe.seed))


def finetuning_documents(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, folder: Path, console: Console
) -> Documents:
    """Traces and dialogues as chats. They are written to `folder`; if they already exist, they are read."""
    data, sft = recipe.output / "data", recipe.sft
    encoding = ChatEncoding(tokenizer, recipe.style, sft.cut, recipe.seed, sft.stretches)

    def chats() -> list[Document]:
        records = chain(read_records(data, TRACES), read_records(data, DIALOGUES))
        encoded = encode_all(records, _num_records(data, TRACES, DIALOGUES), encoding)
        return encoded + teacher_documents(recipe.teacher_runs, tokenizer, encoding, console)

    return _written(folder / "chats", chats, _longest(recipe), console)


def _longest(recipe: Recipe) -> int | None:
    """Tokens of the longest document that is kept. A shape's data are made for it, and all of them are kept."""
    return recipe.model.max_positions if isinstance(recipe.model, BaseCheckpoint) else None


def _written(
    folder: Path,
    encode: Callable[[], Iterable[Document]],
    longest: int | None,
    console: Console,
) -> TokenFile:
    def write() -> None:
        if folder.exists():
            return
        left_out = 0

        def fitting() -> Iterable[Document]:
            nonlocal left_out
            for document in encode():
                if longest is None or len(document.token_ids) <= longest:
                    yield document
                else:
                    left_out += 1

        write_documents(folder, fitting())
        if left_out:
            console.print(
                f"  {folder.name}: {left_out:,} documents are longer than {longest:,} tokens and left out"
            )

    processes().on_main(write)
    return TokenFile(folder)


def _num_records(folder: Path, *kinds: Kind[Any]) -> int:
    described = read_manifest(folder)["kinds"]
    return sum(described[kind.name]["records"] for kind in kinds)
