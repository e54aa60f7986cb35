"""The part of a recipe about the hardware that it runs on."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from steiner.training.config.files import Strict


class Devices(Strict):
    """The hardware of a run. One process drives one GPU; `torchrun` starts as many processes as there are GPUs.

    Attributes:
        gpus: GPUs in all. `--plan` works for this number; a run takes the number of its processes.
        gpu_memory_gib: memory of one GPU, for the verdict of `--plan`.
        sharding: `full` keeps a share of weights, gradients and optimizer state on each GPU (FSDP2); with `none` each
            has all of it.
        precision: `bf16` computes in bfloat16 over float32 weights; `fp32` also computes in float32.
        activation_checkpointing: keep only the input of each layer and compute the rest again in the backward pass.
        micro_batch_tokens: padded tokens of one forward pass on one GPU; a larger batch takes several passes. If not
            given, a whole batch is one pass.
    """

    gpus: PositiveInt = 1
    gpu_memory_gib: PositiveFloat | None = None
    sharding: Literal["none", "full"] = "none"
    precision: Literal["bf16", "fp32"] = "bf16"
    activation_checkpointing: bool = False
    micro_batch_tokens: PositiveInt | None = None
