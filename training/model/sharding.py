"""A recipe's devices as fields of `TrainingArguments`, and what processes without a GPU need in addition."""

from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers import PreTrainedModel, Trainer

from steiner.reasoning.errors import SteinerError
from steiner.training.config.devices import Devices
from steiner.training.model.processes import processes


class ShardingError(SteinerError):
    """Weights cannot be divided as the recipe says; the message says why, and what to do."""


def is_sharded(devices: Devices) -> bool:
    """Whether weights are divided among the processes of this run; a single process has them whole."""
    return devices.sharding == "full" and processes().count > 1


def reads_weights(devices: Devices) -> bool:
    """Whether this process reads weights from the disk. With sharding, the others get theirs from the main process."""
    return processes().is_main or not is_sharded(devices)


def check_sharding(folder: Path, devices: Devices) -> None:
    """Check that a run goes on from checkpoints of its own kind. The number of processes does not matter.

    Raises:
        ShardingError: they have divided weights and these processes whole ones, or the other way round.
    """
    sharded = is_sharded(devices)
    kinds = {True: "divided over processes", False: "whole in each process"}
    for checkpoint in folder.glob("checkpoint-*"):
        there = any(checkpoint.glob("pytorch_model_fsdp_*"))
        if there is not sharded:
            raise ShardingError(
                f"{checkpoint} has the weights {kinds[there]}, and here they are {kinds[sharded]}: go on with the "
                "`devices.sharding` and, where they are divided, with at least two processes as before, or give "
                "`--from` this stage."
            )


def device_arguments(devices: Devices) -> dict[str, Any]:
    """Fields of `TrainingArguments` and of every class that inherits them, TRL's included."""
    arguments: dict[str, Any] = {
        "bf16": devices.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        # Every trained weight takes part in every pass, and looking for unused ones would cost a walk over the graph.
        "ddp_find_unused_parameters": False,
    }
    if is_sharded(devices):
        arguments["fsdp"] = True
        arguments["fsdp_config"] = {
            "version": 2,
            "state_dict_type": "SHARDED_STATE_DICT",
            "cpu_ram_efficient_loading": True,
        }
    return arguments


def recompute_activations(model: PreTrainedModel) -> None:
    """Keep only the input of each layer, and compute the rest again in the backward pass.

    This uses the library's own checkpointing, sharded or not: accelerate's puts a module around each layer, and PEFT
    does not find its adapters under that name. `TrainingArguments` would warn about it, because FSDP1 gathered the
    weights once more for it. FSDP2 does not.
    """
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


class ShardingTrainer(Trainer):
    """A `Trainer` whose sharding differs from accelerate's in two ways.

    1. It also shards over processes without a GPU. torch does so over any process group, but accelerate offers it only
       for accelerators. Told that there are several of these, it works on the device that the processes have.
    2. Gradients are summed over the processes in float32, whatever precision they were computed in.
    """

    def create_accelerator_and_postprocess(self) -> None:
        if self.args.fsdp:
            if self.args.device.type == "cpu":
                PartialState().distributed_type = DistributedType.MULTI_GPU
            if self.args.bf16:
                self.args.fsdp_plugin_args["mixed_precision_policy"] = MixedPrecisionPolicy(
                    param_dtype=torch.bfloat16, reduce_dtype=torch.float32, output_dtype=torch.bfloat16
                )
        super().create_accelerator_and_postprocess()
