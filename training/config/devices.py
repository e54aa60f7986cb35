"""The part of a recipe that says what it runs on."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from steiner.training.config.files import Strict


class Devices(Strict):
    """What a run is spread over. One process drives one GPU; `torchrun` starts as many as there are.

    Attributes:
        gpus: GPUs in all. `--plan` works for this number; a run takes the number of its processes.
        gpu_memory_gib: memory of one, for the verdict of `--plan`.
        sharding: `full` keeps a share of weights, gradients and optimizer state on each GPU (FSDP2); with `none` each
            has all of it.
        precision: `bf16` computes in bfloat16 over float32 weights; `fp32` computes in float32, too.
        activation_checkpointing: keep only the input of each layer and compute the rest again in the backward pass.
        micro_batch_tokens: padded tokens of one forward pass on one GPU; a larger batch takes several passes. A whole
            batch at once where not given.
    """

    gpus: PositiveInt = 1
    gpu_memory_gib: PositiveFloat | None = None
    sharding: Literal["none", "full"] = "none"
    precision: Literal["bf16", "fp32"] = "bf16"
    activation_checkpointing: bool = False
    micro_batch_tokens: PositiveInt | None = None
