"""Hugging Face checkpoints: written whole or not at all, read back for the next stage, exported for serving."""

import json
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor
from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
)

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.files import whole_folder
from steiner.training.config.recipe import Model
from steiner.training.model.adapters import is_adapter, load_adapters
from steiner.training.model.from_base import base_config, shape_alone
from steiner.training.model.processes import processes


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write safetensors, config, tokenizer with chat template and generation config; for adapters, only the adapters.

    The folder appears under its name only when complete, so its existence means the stage is done. All processes of a
    run call this together: sharded weights are gathered by the main one, which writes them.
    """
    weights = _gathered(model)
    processes().on_main(lambda: _write(model, weights, tokenizer, folder))


def _gathered(model: PreTrainedModel) -> dict[str, Tensor] | None:
    """Sharded weights as a whole, in the main process's memory; None if nothing is sharded."""
    if not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return None
    adapters_alone = isinstance(model, PeftModel)
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=adapters_alone)
    weights: dict[str, Tensor] = get_model_state_dict(model, options=options)
    return weights


def _write(
    model: PreTrainedModel,
    weights: dict[str, Tensor] | None,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
) -> None:
    with whole_folder(folder) as partial:
        if isinstance(model, PeftModel):
            # The rows of the new tokens are among the adapters; whole embeddings are not looked for.
            model.save_pretrained(partial, state_dict=weights, save_embedding_layers=False)
        else:
            if weights is not None:
                whole = shape_alone(model.config, torch.float32)
                whole.load_state_dict(weights, assign=True)
                whole.tie_weights()
                model = whole
            model.generation_config = GenerationConfig(
                # Close to greedy, but a request can change it: vLLM takes this temperature if a request names none.
                do_sample=True,
                temperature=0.1,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
            model.save_pretrained(partial)
        save_tokenizer(tokenizer, partial)


TOKENIZER_MODULE = "tokenization_steiner"
TOKENIZER_CLASS = '''"""For `trust_remote_code=True`; without it the library's own class loads tokenizer.json."""

from transformers import PreTrainedTokenizerFast


class SteinerTokenizer(PreTrainedTokenizerFast):
    """The tokenizer.json beside this file, as it is."""
'''


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer so that `AutoTokenizer` loads it as it is.

    For model type qwen2, transformers 5 ignores the named class and puts its own BPE around the vocabulary, under which
    our text encodes to nothing (docs/decisions/tokenizer.md). An `auto_map` entry avoids that. A base's tokenizer is
    what the library takes it for.
    """
    tokenizer.save_pretrained(folder)
    if isinstance(tokenizer, Qwen2Tokenizer):
        return
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["auto_map"] = {"AutoTokenizer": [None, f"{TOKENIZER_MODULE}.SteinerTokenizer"]}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / f"{TOKENIZER_MODULE}.py").write_text(TOKENIZER_CLASS, encoding="utf-8")


def load_checkpoint(folder: Path, *, weights: bool = True) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Read a checkpoint in float32; adapters together with their base, to be trained further.

    Args:
        weights: whether to read them; a process that gets its shards from another one does not.

    Raises:
        BaseError: the base of the adapters is out of reach.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if is_adapter(folder):
        return load_adapters(folder, tokenizer, weights=weights), tokenizer
    if not weights:
        return shape_alone(AutoConfig.from_pretrained(folder), torch.float32), tokenizer
    return Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer


def export_checkpoint(source: Path, folder: Path, model: Model) -> None:
    """Write a stage's checkpoint as others load it: adapters merged into their base, in the base's own precision.

    Raises:
        BaseError: the base of the adapters is out of reach.
    """
    trained, tokenizer = load_checkpoint(source)
    if isinstance(trained, PeftModel):
        trained = trained.merge_and_unload()
    if isinstance(model, BaseCheckpoint):
        trained = trained.to(base_config(model).dtype)
    _write(trained, None, tokenizer, folder)
