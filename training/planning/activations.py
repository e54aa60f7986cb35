"""What the backward pass needs from the forward pass, counted by running the model on the meta device."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from transformers import AttentionInterface, Qwen2Config

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.recipe import Recipe
from steiner.training.planning.shape import shape_model

COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes kept for the backward pass.

    Attributes:
        layer: by one layer, its input included, and its weights' bfloat16 where autocast makes it.
        layer_input: the input of one layer, all that is kept of it where it is computed again.
        rest: by the embeddings and the last norm.
    """

    layer: int
    layer_input: int
    rest: int


class _FusedAttention(torch.autograd.Function):
    """Keeps what FlashAttention keeps: its inputs, its output, and a float32 of each row's normaliser."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = torch.empty_like(query)
        normaliser = torch.empty(query.shape[:3], dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, output, normaliser)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])


def _counted_attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, *arguments: Any, **named: Any
) -> tuple[Tensor, None]:
    return _FusedAttention.apply(query, key, value).transpose(1, 2).contiguous(), None


def count_activations(config: Qwen2Config, recipe: Recipe, num_tokens: int) -> Activations:
    """What one forward pass over `num_tokens` tokens keeps, without the output layer.

    Sharded weights are gathered in bfloat16; others are used under autocast. All layers are alike, so two small models
    are enough to find each size.
    """
    AttentionInterface.register(COUNTED, _counted_attention)
    one, two = (_saved_bytes(config, recipe, layers, num_tokens) for layers in (1, 2))
    width = 2 if computes_in_bfloat16(recipe) else 4
    return Activations(two - one, num_tokens * config.hidden_size * width, 2 * one - two)


def computes_in_bfloat16(recipe: Recipe) -> bool:
    """Whether the weights that are computed with, and what flows between the layers, are bfloat16."""
    sharded = recipe.devices.sharding == "full" and recipe.devices.gpus > 1
    lora = isinstance(recipe.model, BaseCheckpoint) and recipe.model.lora is not None
    return lora or (sharded and recipe.devices.precision == "bf16")


def _saved_bytes(config: Qwen2Config, recipe: Recipe, num_layers: int, num_tokens: int) -> int:
    in_bfloat16 = computes_in_bfloat16(recipe)
    under_autocast = recipe.devices.precision == "bf16" and not in_bfloat16
    kept: dict[int, torch.UntypedStorage] = {}
    # Autocast does not know the meta device, and a fake CPU's tensors have no memory either.
    with FakeTensorMode() if under_autocast else torch.device("meta"):
        model = shape_model(config, recipe, num_layers, torch.bfloat16 if in_bfloat16 else torch.float32)
        model.set_attn_implementation(COUNTED)
        own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                kept[storage._cdata] = storage
            return tensor

        tokens = torch.zeros((1, num_tokens), dtype=torch.int64)
        autocast = torch.autocast("cpu", torch.bfloat16) if under_autocast else nullcontext()
        with saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
            # The head's logits are counted separately: one position is enough to pass through it. Nothing masks a batch
            # that is padded on the right.
            mask = {"full_attention": None}
            model(input_ids=tokens, attention_mask=mask, use_cache=False, logits_to_keep=1)
    return sum(storage.nbytes() for storage in kept.values())
