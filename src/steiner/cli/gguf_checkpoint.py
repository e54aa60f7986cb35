"""A GGUF file as a checkpoint in transformers' format, with its tokenizer and its chat template.

vLLM's tokenizers, its prefix cache and this server read that format; the weights are no longer quantized in it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from steiner.reasoning.errors import SteinerError

READABLE = 0o644
"""Mode of the weights, which safetensors writes for their owner alone."""


class ConversionError(SteinerError):
    """A GGUF file cannot be read as a chat model; the message says why."""


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write config, generation config, tokenizer, chat template and weights in bfloat16 into `folder`.

    Generation ends at the tokenizer's end of turn, whatever else the file names.

    Source: https://huggingface.co/docs/transformers/gguf

    Raises:
        ConversionError: the file is no GGUF of an architecture that transformers knows, or has no chat template.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with _quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),
            )
        except (OSError, ValueError, KeyError) as error:
            raise ConversionError(f"{gguf.name} cannot be read: {error}") from error
        if not tokenizer.chat_template:
            raise ConversionError(f"{gguf.name} has no chat template, so it is no chat model.")
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(READABLE)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Without its bars and its advice on speed, which is for those who keep the weights packed."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
