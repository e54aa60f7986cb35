"""Hugging Face checkpoints: written whole or not at all, read back for the next stage, exported for serving."""

import json
import shutil
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
)


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write float32 safetensors, config, tokenizer with chat template and generation config.

    The folder appears under its name only when complete, so its existence means the stage is done.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.generation_config = GenerationConfig(
        # Close to greedy, and still the reader's to change: vLLM takes this temperature where a request names none.
        do_sample=True,
        temperature=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(partial)
    save_tokenizer(tokenizer, partial)
    if folder.exists():
        shutil.rmtree(folder)
    partial.replace(folder)


TOKENIZER_MODULE = "tokenization_steiner"
TOKENIZER_CLASS = '''"""For `trust_remote_code=True`; without it the library's own class loads tokenizer.json."""

from transformers import PreTrainedTokenizerFast


class SteinerTokenizer(PreTrainedTokenizerFast):
    """The tokenizer.json beside this file, as it is."""
'''


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer so that `AutoTokenizer` loads it as it is.

    For model type qwen2 transformers 5 ignores the named class and puts its own BPE around the vocabulary, under which
    our text encodes to nothing (docs/decisions/tokenizer.md). An `auto_map` entry takes the other road.
    """
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["auto_map"] = {"AutoTokenizer": [None, f"{TOKENIZER_MODULE}.SteinerTokenizer"]}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / f"{TOKENIZER_MODULE}.py").write_text(TOKENIZER_CLASS, encoding="utf-8")


def load_checkpoint(folder: Path) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """Read a checkpoint in float32."""
    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return model, tokenizer
