"""Low-rank adapters on a base, with the special tokens' rows trained along with them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.base_checkpoint import BaseCheckpoint, Lora
from steiner.training.model.from_base import base_model, base_tokenizer

ADAPTER_CONFIG = "adapter_config.json"


def with_adapters(
    model: Qwen2ForCausalLM, lora: Lora, rows: Sequence[int], seed: int, revision: str | None = None
) -> PeftModel:
    """The model with fresh adapters. All else is frozen, except for some rows of the input and output embeddings.

    Args:
        rows: those of the tokens that the base did not know.
        revision: of the base, for anyone who loads the adapters.
    """
    torch.manual_seed(seed)
    matrices = ["embed_tokens"] if model.config.tie_word_embeddings else ["embed_tokens", "lm_head"]
    return get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM",
            revision=revision,
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules=list(lora.targets),
            trainable_token_indices=dict.fromkeys(matrices, rows) if rows else None,
        ),
    )


def is_adapter(folder: Path) -> bool:
    """Whether a checkpoint holds adapters and not the weights they are for."""
    return (folder / ADAPTER_CONFIG).exists()


def load_adapters(folder: Path, tokenizer: PreTrainedTokenizerFast, *, weights: bool = True) -> PeftModel:
    """The base with the adapters of a folder on it, to be trained further.

    Args:
        weights: whether to read them; a process that gets its shards from another one does not.

    Raises:
        BaseError: the base is out of reach.
    """
    config = PeftConfig.from_pretrained(folder)
    base = BaseCheckpoint(
        base=config.base_model_name_or_path,
        revision=config.revision,
        max_positions=tokenizer.model_max_length,
        lora=Lora(),
    )
    model = base_model(base, base_tokenizer(base), weights=weights)
    if not weights:
        config.inference_mode = False
        return get_peft_model(model, config)
    return PeftModel.from_pretrained(model, folder, is_trainable=True)
