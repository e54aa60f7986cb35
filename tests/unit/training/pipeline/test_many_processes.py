"""The 32b recipe's code in two processes without a GPU, on a tiny base: sharded, killed with -9, resumed, exported.

What comes out is what one process makes that was never stopped.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests.tiny_base import write_base
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.model.from_base import base_model, base_tokenizer
from steiner.training.pipeline.stages import run_pipeline, stage_model

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[4] / "training" / "recipes" / "32b.yaml"
STAGE = {"learning_rate": 1e-3, "batch_tokens": [900, 900], "warmup_steps": 5}
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    threads = torch.get_num_threads()
    path = tmp_path_factory.mktemp("scale")
    write_base(path / "base")
    yield path
    torch.set_num_threads(threads)


def scaled_down(folder: Path, name: str, lora: dict[str, int] | None) -> Recipe:
    """The 32b recipe on the tiny base, with little data and short stages."""
    content: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    family = {"problems": 40, "sizes": [{"size": 3}], "drills": 30, "dialogues": 4}
    (folder / "text.txt").write_text(
        "what is known so far: the next step is correct. " * 40, encoding="utf-8"
    )
    text = {"files": [str(folder / "text.txt")], "share": 0.2}
    content["output"] = str(folder / name)
    content["threads"] = 1
    content["model"] = {"base": str(folder / "base"), "max_positions": 512, "lora": lora}
    content["devices"] |= {"gpus": 2, "micro_batch_tokens": 512, "precision": "fp32"}
    content["languages"] = {"en": 1}
    content["data"] = {"countdown": family}
    content["cpt"] |= STAGE | {"tokens": 60_000, "text": text}
    content["sft"] |= STAGE | {"tokens": 60_000}
    del content["rl"]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_recipe(path)


def in_one_process(folder: Path, name: str, lora: dict[str, int] | None) -> Recipe:
    recipe = scaled_down(folder, name, lora)
    run_pipeline(recipe)
    return recipe


def start(recipe: Recipe, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Two processes; what they say is in the log."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "steiner.cli", "train", str(folder / f"{recipe.output.name}.yaml")]
    with log.open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)


def kill_when(running: subprocess.Popen[bytes], sign: Path, log: Path) -> None:
    """End all processes with -9 as soon as the file is there."""
    while not sign.exists():
        assert running.poll() is None, log.read_text()
        time.sleep(0.01)
    processes = [*psutil.Process(running.pid).children(recursive=True), psutil.Process(running.pid)]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes)
    running.wait()


def in_two_processes(
    folder: Path, name: str, lora: dict[str, int] | None, killed_in: str, data: Path
) -> Recipe:
    recipe = scaled_down(folder, name, lora)
    shutil.copytree(data, recipe.output / "data")
    log = folder / f"{name}.log"
    checkpoint = recipe.output / killed_in / "checkpoint-50"
    kill_when(start(recipe, folder, log), checkpoint / "trainer_state.json", log)
    assert not stage_model(recipe, killed_in).exists()
    assert list(checkpoint.glob("pytorch_model_fsdp_0/*.distcp"))
    assert start(recipe, folder, log).wait(timeout=300) == 0, log.read_text()
    return recipe


def weights_of(recipe: Recipe, stage: str) -> Weights:
    (file,) = stage_model(recipe, stage).glob("*model.safetensors")
    return load_file(file)


def largest_difference(one: Weights, two: Weights) -> float:
    assert one.keys() == two.keys()
    return max((one[name].float() - two[name].float()).abs().max().item() for name in one)


@pytest.mark.parametrize(
    ("lora", "killed_in"), [(None, "cpt"), ({"rank": 4, "alpha": 8}, "sft")], ids=["full", "lora"]
)
def test_two_processes_killed_once_make_what_one_makes(
    folder: Path, lora: dict[str, int] | None, killed_in: str
) -> None:
    kind = "lora" if lora else "full"
    alone = in_one_process(folder, f"alone-{kind}", lora)
    together = in_two_processes(folder, f"together-{kind}", lora, killed_in, alone.output / "data")
    for stage in ("cpt", "sft"):
        difference = largest_difference(weights_of(alone, stage), weights_of(together, stage))
        assert difference < 2e-3, stage
        assert (alone.output / stage / "made_from.json").read_bytes() == (
            together.output / stage / "made_from.json"
        ).read_bytes().replace(b"together", b"alone")
        assert not (together.output / stage / "documents").exists()
    # Training moved the weights much further than the processes are apart.
    base = alone.model
    start_weights = base_model(base, base_tokenizer(base)).state_dict()  # type: ignore[arg-type]
    assert largest_difference(start_weights, weights_of(alone, "export")) > 0.02

    export = stage_model(together, "export")
    model = AutoModelForCausalLM.from_pretrained(export)
    tokenizer = AutoTokenizer.from_pretrained(export)
    assert type(model) is Qwen2ForCausalLM
    assert model.dtype == torch.bfloat16
    assert not model.config.tie_word_embeddings
    STEINER.bind(tokenizer)
    tokens = torch.tensor([tokenizer.encode("make 22 from 15 4 11")])
    expected = AutoModelForCausalLM.from_pretrained(stage_model(alone, "export"))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens).logits, expected(tokens).logits, atol=0.05, rtol=0.05)
