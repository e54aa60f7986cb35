"""The policy's weights as a checkpoint that the engine reads: whole, however they are sharded and adapted."""

import copy
from pathlib import Path

import torch
from accelerate import Accelerator
from huggingface_hub import save_torch_state_dict
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel, Qwen2ForCausalLM

from steiner.training.model.from_base import shape_alone
from steiner.training.model.processes import processes

BASE_LAYER = ".base_layer."
ADAPTER = "default"
EMBEDDINGS = "model.embed_tokens.weight"
OUTPUT_LAYER = "lm_head.weight"


def write_policy(accelerator: Accelerator, model: torch.nn.Module, folder: Path) -> None:
    """Gather the weights and write them; every process takes part, and returns when they are on disk.

    A folder of safetensors and not a message: any number of engine workers read it from the page cache, each its own
    shard, in the same way on one core and on eight GPUs.
    """
    state = accelerator.get_state_dict(model)
    if accelerator.is_main_process:
        write_weights(accelerator.unwrap_model(model), state, folder)
    accelerator.wait_for_everyone()


def write_weights(model: PreTrainedModel | PeftModel, state: dict[str, Tensor], folder: Path) -> None:
    """Write a state dict of the model, adapters merged, for an engine to read.

    A tied output layer is written separately: a running engine would use new embeddings only as embeddings, and keep
    the output layer that it started with.
    """
    if isinstance(model, PeftModel):
        state, model = merged(state, model.peft_config[ADAPTER]), model.get_base_model()
    config = copy.deepcopy(model.config)
    if config.tie_word_embeddings:
        config.tie_word_embeddings = False
        state = {**state, OUTPUT_LAYER: state[EMBEDDINGS].clone()}
    config.save_pretrained(folder)
    save_torch_state_dict({name: _on_its_own(value) for name, value in state.items()}, folder)


def _on_its_own(value: Tensor) -> Tensor:
    """The tensor in memory of its own size, because one gathered from shards may be part of a larger buffer."""
    return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()


def merged(state: dict[str, Tensor], config: LoraConfig) -> dict[str, Tensor]:
    """A LoRA model's state dict as its base model's: W + scale B A under the base's names (arXiv 2106.09685)."""
    scale = config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r)
    weights: dict[str, Tensor] = {}
    for name, value in state.items():
        if ".lora_" in name:
            continue
        plain = name.removeprefix("base_model.model.").replace(BASE_LAYER, ".")
        if BASE_LAYER in name and name.endswith(".weight"):
            lora = name.replace(f"{BASE_LAYER}weight", f".lora_{{}}.{ADAPTER}.weight")
            down, up = (state[lora.format(part)].float() for part in "AB")
            value = (value.float() + scale * (up @ down)).to(value.dtype)
        weights[plain] = value
    return weights


def readapted(model: PeftModel, seed: int) -> PeftModel:
    """Merge the model's adapters, including the new tokens' embedding rows, and add fresh ones of the same shape.

    Trained rows are a module around the output layer, and TRL multiplies only by the output layer's weight, so the loss
    would be another model's.
    """
    torch.manual_seed(seed)
    shape: LoraConfig = model.peft_config[ADAPTER]
    fresh = LoraConfig(
        task_type="CAUSAL_LM", r=shape.r, lora_alpha=shape.lora_alpha, target_modules=shape.target_modules
    )
    return get_peft_model(model.merge_and_unload(), fresh)


def read_policy(folder: Path, model: PeftModel) -> PreTrainedModel:
    """What `write_policy` wrote, in the main process. The others get only the shape, because only it saves."""
    config = model.get_base_model().config
    if processes().is_main:
        return Qwen2ForCausalLM.from_pretrained(folder, config=config, dtype="auto")
    return shape_alone(config, torch.bfloat16)
