"""The pipeline: data -> cpt -> sft -> rl -> export. Each stage reads the files of the one before and can be resumed."""

import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from steiner.reasoning.errors import SteinerError
from steiner.training.checkpoint import load_checkpoint, save_checkpoint
from steiner.training.config import Recipe
from steiner.training.data.kinds import DIALOGUES, DRILLS, TRACES, Kind
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import read_records
from steiner.training.data.teacher_runs import describe_teacher_runs
from steiner.training.data.writing import write_data
from steiner.training.encode_all import ChatEncoding, PlainEncoding, encode_all
from steiner.training.fingerprint import check_stage, claim_stage
from steiner.training.manifest import write_manifest
from steiner.training.mixture import mix
from steiner.training.model import build_model
from steiner.training.teacher_documents import teacher_documents
from steiner.training.tokenizer import tokenizer_of
from steiner.training.trainer import train_stage

STAGES = ("data", "cpt", "sft", "rl", "export")
console = Console(stderr=True)


class StageError(SteinerError):
    """A stage cannot start; the message says what is missing and which command makes it."""


def run_pipeline(recipe: Recipe, from_stage: str | None = None, workers: int | None = None) -> Path:
    """Run every stage that is not done yet.

    Args:
        from_stage: throw away this stage's results and those of all later ones first.
        workers: processes that make the data, one for each core if not given.

    Returns:
        The folder of the exported checkpoint.

    Raises:
        StageError: `from_stage` is unknown.
        ChangedRecipeError: results that are there were made from another recipe.
        DataError: the recipe names a folder that holds no finished run of a teacher.
    """
    if from_stage is not None and from_stage not in STAGES:
        raise StageError(f"Unknown stage {from_stage!r}; the stages are {', '.join(STAGES)}.")
    # Noticed behind the data otherwise, which may take hours.
    describe_teacher_runs(recipe.teacher_runs)
    first_again = len(STAGES) if from_stage is None else STAGES.index(from_stage)
    for name in STAGES[:first_again]:
        check_stage(recipe, name)
    for name in STAGES[first_again:]:
        shutil.rmtree(recipe.output / name, ignore_errors=True)
    torch.set_num_threads(recipe.threads)
    recipe.output.mkdir(parents=True, exist_ok=True)
    stages: dict[str, Callable[[Recipe], None]] = {
        "data": lambda recipe: _data(recipe, workers),
        "cpt": _cpt,
        "sft": _sft,
        "rl": _rl,
        "export": _export,
    }
    for name, run in stages.items():
        if stage_model(recipe, name).exists():
            console.print(f"{name}: done before")
            continue
        console.print(f"{name}: started")
        if name != "export":
            claim_stage(recipe, name)
        run(recipe)
    return stage_model(recipe, "export")


def stage_model(recipe: Recipe, stage: str) -> Path:
    """Where a stage leaves its checkpoint; for the data stage a file that never exists, since it checks its own."""
    return recipe.output / ("export" if stage == "export" else f"{stage}/model")


def _data(recipe: Recipe, workers: int | None) -> None:
    for name, count in write_data(recipe, workers).items():
        console.print(f"  {name}: {count:,} records")


def _cpt(recipe: Recipe) -> None:
    tokenizer = tokenizer_of(recipe)
    model = build_model(recipe.model, tokenizer, recipe.seed)
    if recipe.cpt is not None:
        data = recipe.output / "data"
        plain = PlainEncoding(tokenizer)
        remembering = (record for record in read_records(data, TRACES) if not record["folded"])
        traces = encode_all(remembering, _num_records(data, TRACES), plain)
        traces += teacher_documents(recipe.teacher_runs, tokenizer, plain, console)
        drills = encode_all(read_records(data, DRILLS), _num_records(data, DRILLS), plain)
        documents = mix(traces, drills, recipe.cpt.drill_share, recipe.seed)
        train_stage(model, tokenizer, documents, recipe.cpt, recipe.output / "cpt", recipe.seed)
    save_checkpoint(model, tokenizer, stage_model(recipe, "cpt"))


def _sft(recipe: Recipe) -> None:
    model, tokenizer = load_checkpoint(stage_model(recipe, "cpt"))
    data = recipe.output / "data"
    records = chain(read_records(data, TRACES), read_records(data, DIALOGUES))
    sft = recipe.sft
    encoding = ChatEncoding(tokenizer, recipe.style, sft.cut, recipe.seed, sft.stretches)
    documents = encode_all(records, _num_records(data, TRACES, DIALOGUES), encoding)
    documents += teacher_documents(recipe.teacher_runs, tokenizer, encoding, console)
    train_stage(model, tokenizer, documents, sft, recipe.output / "sft", recipe.seed)
    save_checkpoint(model, tokenizer, stage_model(recipe, "sft"))


def _num_records(folder: Path, *kinds: Kind[Any]) -> int:
    described = read_manifest(folder)["kinds"]
    return sum(described[kind.name]["records"] for kind in kinds)


def _rl(recipe: Recipe) -> None:
    model, tokenizer = load_checkpoint(stage_model(recipe, "sft"))
    if recipe.rl is not None:
        from steiner.training.rl.train import reinforce

        reinforce(model, tokenizer, recipe, recipe.output / "rl")
    save_checkpoint(model, tokenizer, stage_model(recipe, "rl"))


def _export(recipe: Recipe) -> None:
    model, tokenizer = load_checkpoint(stage_model(recipe, "rl"))
    folder = stage_model(recipe, "export")
    # Named only when the manifest is in it: an export that is there counts as done.
    staged = folder.with_name("export.staged")
    save_checkpoint(model, tokenizer, staged)
    write_manifest(recipe, staged)
    staged.replace(folder)
