"""The pipeline: data -> cpt -> sft -> rl -> export. Each stage reads the files of the one before and can be resumed."""

import gc
import importlib.metadata
import json
import platform
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from steiner.reasoning.errors import SteinerError
from steiner.training.config.files import whole_folder
from steiner.training.config.recipe import Optimisation, Recipe
from steiner.training.data.fingerprint import check_stage, claim_stage
from steiner.training.data.manifest import read_manifest
from steiner.training.data.teacher_runs import describe_teacher_runs
from steiner.training.data.writing import write_data
from steiner.training.documents.stage_documents import (
    check_sources,
    finetuning_documents,
    pretraining_documents,
)
from steiner.training.documents.token_file import Documents
from steiner.training.learning.trainer import train_stage
from steiner.training.model.checkpoint import export_checkpoint, load_checkpoint, save_checkpoint
from steiner.training.model.processes import processes
from steiner.training.model.sharding import reads_weights
from steiner.training.model.starting_model import starting_model
from steiner.training.pipeline.plots import plot_training

STAGES = ("data", "cpt", "sft", "rl", "export")
DOCUMENTS = "documents"
"""Folder of a stage's encoded documents, kept until the stage is done."""
CURVES = "training.svg"
"""The learning curves of the stages so far, next to their folders."""
PACKAGES = ("steiner", "torch", "transformers", "tokenizers", "accelerate", "trl")
"""Those whose versions the manifest tells."""


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
        ChangedRecipeError: existing results were made from another recipe.
        DataError: the recipe names a folder that holds no finished run of a teacher, or text that is not there.
        BaseError: the base cannot be used.
    """
    if from_stage is not None and from_stage not in STAGES:
        raise StageError(f"Unknown stage {from_stage!r}; the stages are {', '.join(STAGES)}.")
    check_sources(recipe)
    first_again = len(STAGES) if from_stage is None else STAGES.index(from_stage)
    for name in STAGES[:first_again]:
        check_stage(recipe, name)
    run = processes()
    if run.count != recipe.devices.gpus:
        start = f"torchrun --nproc-per-node {recipe.devices.gpus} -m steiner.cli train RECIPE"
        console().print(
            f"devices.gpus is {recipe.devices.gpus}, processes: {run.count}; `{start}` starts as many."
        )
    run.on_main(lambda: _throw_away(recipe, STAGES[first_again:]))
    torch.set_num_threads(recipe.threads)
    stages: dict[str, Callable[[Recipe], None]] = {
        "data": lambda recipe: _data(recipe, workers),
        "cpt": _cpt,
        "sft": _sft,
        "rl": _rl,
        "export": _export,
    }
    for name, work in stages.items():
        done = stage_model(recipe, name).exists()
        console().print(f"{name}: {'done before' if done else 'started'}")
        # No process begins before all have checked whether there is something to do.
        run.wait()
        if done:
            continue
        if name != "export":
            run.on_main(partial(claim_stage, recipe, name))
        work(recipe)
        if (recipe.output / name / "log.jsonl").exists():
            run.on_main(partial(plot_training, recipe.output, recipe.output / CURVES))
        # The weights of a stage are part of a reference cycle, and the next stage needs their memory.
        gc.collect()
    return stage_model(recipe, "export")


def stage_model(recipe: Recipe, stage: str) -> Path:
    """Where a stage leaves its checkpoint. For the data stage, a file that never exists: it checks its own files."""
    return recipe.output / ("export" if stage == "export" else f"{stage}/model")


def console() -> Console:
    """Where the main process prints what is done; the others print nothing."""
    return Console(stderr=True, quiet=not processes().is_main)


def _throw_away(recipe: Recipe, stages: Sequence[str]) -> None:
    for name in stages:
        shutil.rmtree(recipe.output / name, ignore_errors=True)
    recipe.output.mkdir(parents=True, exist_ok=True)


def _data(recipe: Recipe, workers: int | None) -> None:
    def write() -> None:
        for name, count in write_data(recipe, workers).items():
            console().print(f"  {name}: {count:,} records")

    processes().on_main(write)


def _cpt(recipe: Recipe) -> None:
    folder = recipe.output / "cpt"
    model, tokenizer = starting_model(recipe)
    if recipe.cpt is not None:
        documents = pretraining_documents(recipe, recipe.cpt, tokenizer, folder / DOCUMENTS, console())
        model = _trained(model, tokenizer, documents, recipe, recipe.cpt, folder)
    _finish(model, tokenizer, recipe, "cpt")


def _sft(recipe: Recipe) -> None:
    folder = recipe.output / "sft"
    model, tokenizer = _loaded(recipe, "cpt")
    documents = finetuning_documents(recipe, tokenizer, folder / DOCUMENTS, console())
    model = _trained(model, tokenizer, documents, recipe, recipe.sft, folder)
    _finish(model, tokenizer, recipe, "sft")


def _trained(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    documents: Documents,
    recipe: Recipe,
    stage: Optimisation,
    folder: Path,
) -> PreTrainedModel:
    muon = recipe.optimizer_of(stage) == "muon"
    return train_stage(
        model, tokenizer, documents, stage, folder, recipe.seed, muon=muon, devices=recipe.devices
    )


def _loaded(recipe: Recipe, stage: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """What a stage left, for the next one. If weights are sharded, the main process hands them out."""
    return load_checkpoint(stage_model(recipe, stage), weights=reads_weights(recipe.devices))


def _finish(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, stage: str) -> None:
    save_checkpoint(model, tokenizer, stage_model(recipe, stage))
    documents = recipe.output / stage / DOCUMENTS
    processes().on_main(lambda: shutil.rmtree(documents, ignore_errors=True))


def _rl(recipe: Recipe) -> None:
    model, tokenizer = _loaded(recipe, "sft")
    if recipe.rl is not None:
        from steiner.training.rl.train import reinforce

        model = reinforce(model, tokenizer, recipe, recipe.output / "rl")
    _finish(model, tokenizer, recipe, "rl")


def _export(recipe: Recipe) -> None:
    folder = stage_model(recipe, "export")

    def write() -> None:
        # Gets its name only once the manifest is in it, because an existing export counts as done.
        with whole_folder(folder) as staged:
            export_checkpoint(stage_model(recipe, "rl"), staged, recipe.model)
            write_manifest(recipe, staged)

    processes().on_main(write)


def write_manifest(recipe: Recipe, folder: Path) -> None:
    """Write `training.json` into the checkpoint's folder: the recipe, counts, hashes, last figures and versions."""
    manifest: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", exclude={"output", "teacher_runs"}),
        "data": {
            name: {"records": kind["records"], "sha256": kind["sha256"]}
            for name, kind in read_manifest(recipe.output / "data")["kinds"].items()
        },
        "teacher_runs": describe_teacher_runs(recipe.teacher_runs),
        "stages": {stage: _last_log(recipe.output / stage / "log.jsonl") for stage in ("cpt", "sft", "rl")},
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    (folder / "training.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _last_log(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    last: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return last
