"""A recipe's devices become arguments of the trainer; one process alone has everything whole."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.tiny_base import write_base
from transformers import PreTrainedTokenizerFast, TrainingArguments

from steiner.training.config.devices import Devices
from steiner.training.config.recipe import Recipe
from steiner.training.model import sharding
from steiner.training.model.processes import Processes, processes
from steiner.training.model.sharding import (
    ShardingError,
    check_sharding,
    device_arguments,
    is_sharded,
    reads_weights,
    recompute_activations,
)
from steiner.training.model.starting_model import starting_model
from steiner.training.model.wired_qwen2 import build_model
from steiner.training.random_checkpoint import NANO

SHARDED = Devices(gpus=2, sharding="full")


def one_of_two(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(sharding, "processes", lambda: Processes(rank, 2, None))


def test_one_process_is_the_main_one_and_waits_for_nobody() -> None:
    run = processes()
    assert (run.rank, run.count, run.is_main) == (0, 1, True)
    done: list[int] = []
    run.on_main(lambda: done.append(1))
    assert done == [1]


def test_work_of_the_main_process_is_not_done_by_others() -> None:
    Processes(1, 2, None).on_main(lambda: pytest.fail("the wrong process works"))


def test_one_process_shards_nothing(tmp_path: Path) -> None:
    assert not is_sharded(SHARDED)
    assert reads_weights(SHARDED)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[], **device_arguments(SHARDED))
    assert not arguments.fsdp
    assert arguments.bf16


@pytest.mark.parametrize(("rank", "reads"), [(0, True), (1, False)])
def test_of_several_the_main_one_reads_the_weights(
    monkeypatch: pytest.MonkeyPatch, rank: int, reads: bool
) -> None:
    one_of_two(monkeypatch, rank)
    assert is_sharded(SHARDED)
    assert reads_weights(SHARDED) is reads
    assert reads_weights(Devices(gpus=2))


def test_sharding_is_fsdp2_with_sharded_checkpoints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one_of_two(monkeypatch, 0)
    # The library sets it, and it is not to outlive the test.
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "false")
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[], **device_arguments(SHARDED))
    assert arguments.fsdp
    assert arguments.fsdp_plugin_args["fsdp_version"] == 2
    assert arguments.fsdp_plugin_args["state_dict_type"] == "SHARDED_STATE_DICT"
    assert arguments.fsdp_plugin_args["cpu_ram_efficient_loading"]
    assert "fsdp" not in device_arguments(Devices(gpus=2))


@pytest.mark.parametrize("there", [True, False])
def test_a_checkpoint_of_another_kind_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    checkpoint = tmp_path / "checkpoint-50"
    (checkpoint / ("pytorch_model_fsdp_0" if there else "other")).mkdir(parents=True)
    one_of_two(monkeypatch, 0)
    same, other = (SHARDED, Devices()) if there else (Devices(), SHARDED)
    check_sharding(tmp_path, same)
    with pytest.raises(ShardingError, match=r"checkpoint-50 has the weights .* `devices\.sharding`"):
        check_sharding(tmp_path, other)


def test_a_tied_base_is_not_divided_with_adapters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe_of: Callable[..., Recipe]
) -> None:
    model = {"base": str(write_base(tmp_path, tied=True)), "max_positions": 64, "lora": {"rank": 2}}
    recipe = recipe_of(model=model, devices={"gpus": 2, "sharding": "full"})
    starting_model(recipe)
    one_of_two(monkeypatch, 1)
    with pytest.raises(ShardingError, match=r"ties its head .* devices\.sharding to none"):
        starting_model(recipe)


def test_precision_is_the_recipes() -> None:
    assert device_arguments(Devices())["bf16"]
    assert not device_arguments(Devices(precision="fp32"))["bf16"]


def test_recomputed_activations_change_no_gradient(tokenizer: PreTrainedTokenizerFast) -> None:
    gradients = []
    for recomputes in (False, True):
        model = build_model(NANO, tokenizer, seed=0).train()
        if recomputes:
            recompute_activations(model)
        assert model.is_gradient_checkpointing is recomputes
        tokens = torch.arange(40)[None]
        model(tokens, labels=tokens).loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*gradients, strict=True))
