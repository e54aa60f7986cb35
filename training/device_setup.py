"""A recipe's devices as fields of `TrainingArguments`, and what is left to do for processes without a GPU."""

from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from transformers import Trainer

from steiner.training.devices import Devices
from steiner.training.processes import processes


def is_sharded(devices: Devices) -> bool:
    """Whether weights are divided among the processes of this run; one process alone has them whole."""
    return devices.sharding == "full" and processes().count > 1


def reads_weights(devices: Devices) -> bool:
    """Whether this process reads weights from the disk; of sharded ones the main process hands the others theirs."""
    return processes().is_main or not is_sharded(devices)


def device_arguments(devices: Devices) -> dict[str, Any]:
    """Fields of `TrainingArguments` and of every class that inherits them, TRL's included."""
    arguments: dict[str, Any] = {
        "bf16": devices.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
    }
    if is_sharded(devices):
        arguments["fsdp"] = True
        arguments["fsdp_config"] = {
            "version": 2,
            "state_dict_type": "SHARDED_STATE_DICT",
            "cpu_ram_efficient_loading": True,
            "activation_checkpointing": devices.activation_checkpointing,
        }
    elif devices.activation_checkpointing:
        arguments["gradient_checkpointing"] = True
        arguments["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    return arguments


class ShardingTrainer(Trainer):
    """A `Trainer` that shards over processes without a GPU, too.

    torch shards over any process group; accelerate offers it for accelerators alone. Told that there are several of
    these, it does what it does on GPUs, on the device that the processes have.
    """

    def create_accelerator_and_postprocess(self) -> None:
        if self.args.fsdp and self.args.device.type == "cpu":
            PartialState().distributed_type = DistributedType.MULTI_GPU
        super().create_accelerator_and_postprocess()
