"""A run's model on the meta device: every shape, and not a byte of weights."""

from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.recipe import Recipe
from steiner.training.learning.optimizer import split_parameters
from steiner.training.model.adapters import with_adapters
from steiner.training.model.from_base import BaseError, OutOfReachError, base_config
from steiner.training.model.starting_model import tokenizer_of
from steiner.training.model.tokenizer import special_tokens
from steiner.training.model.wired_qwen2 import shape_config

NEEDED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "tie_word_embeddings",
)
"""Numbers of a configuration that decide how much memory a model takes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Parameters of a model.

    Attributes:
        every: of the base, tied ones once.
        layer: of the base, in one layer.
        embedding: in the input embeddings.
        head: in the output layer, tied or not.
        trained: those that get gradients, including adapters and token rows.
        trained_layer: of the trained ones, those in one layer.
        matrices: of the trained ones, those in the layers' matrices.
        adapters: parameters that are not the base's.
    """

    every: int
    layer: int
    embedding: int
    head: int
    trained: int
    trained_layer: int
    matrices: int
    adapters: int


def planned_config(recipe: Recipe) -> Qwen2Config:
    """The model's configuration. That of a base comes from its folder, the hub's cache, the recipe's numbers or the
    hub, in this order.

    Raises:
        BaseError: none of them has it.
    """
    if not isinstance(recipe.model, BaseCheckpoint):
        return shape_config(recipe.model, tokenizer_of(recipe))
    base = recipe.model
    if base.config:
        try:
            return base_config(base, local_files_only=True)
        except OutOfReachError:
            if missing := [name for name in NEEDED if name not in base.config]:
                raise BaseError(f"model.config lacks {', '.join(missing)}, which `--plan` needs.") from None
            return Qwen2Config(**base.config)
    return base_config(base)


def shape_model(
    config: Qwen2Config, recipe: Recipe, num_layers: int, dtype: torch.dtype = torch.bfloat16
) -> nn.Module:
    """The model, with adapters if the recipe has them, and with as many of its equal layers as asked for."""
    fewer = Qwen2Config(**config.to_dict() | {"num_hidden_layers": num_layers, "layer_types": None})
    model = Qwen2ForCausalLM(fewer)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    if isinstance(recipe.model, BaseCheckpoint) and recipe.model.lora is not None:
        # Which rows the new tokens get does not matter here.
        rows = list(range(len(special_tokens())))
        return with_adapters(model, recipe.model.lora, rows, recipe.seed)
    return model


def count(config: Qwen2Config, recipe: Recipe) -> Counts:
    """Count the parameters of a run's model."""
    with torch.device("meta"):
        model = shape_model(config, recipe, num_layers=1)
    plain = model.get_base_model() if isinstance(model, PeftModel) else model
    sizes = {name: parameter.numel() for name, parameter in plain.named_parameters()}
    beside = {name for name in sizes if ".lora_" in name or "trainable_tokens_" in name}
    trained = {name for name, parameter in plain.named_parameters() if parameter.requires_grad}
    in_layer = {name for name in sizes if ".layers.0." in name}

    def summed(names: set[str]) -> int:
        return sum(sizes[name] * (config.num_hidden_layers if name in in_layer else 1) for name in names)

    matrices, _ = split_parameters(plain)
    return Counts(
        every=summed(set(sizes) - beside),
        layer=sum(sizes[name] for name in in_layer - beside),
        embedding=plain.get_input_embeddings().weight.numel(),
        head=plain.get_output_embeddings().weight.numel(),
        trained=summed(trained),
        trained_layer=sum(sizes[name] for name in trained & in_layer),
        matrices=sum(matrix.numel() for matrix in matrices) * config.num_hidden_layers,
        adapters=summed(beside),
    )
