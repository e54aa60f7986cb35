"""A base as Qwen2.5's are, made here and tiny: its architecture, its kind of tokenizer, spare rows, bfloat16."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from steiner.training.model.from_base import DESCRIPTIONS

TEXT = [
    *DESCRIPTIONS.values(),
    "make 22 from 15 4 11",
    "roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern",
    "system user assistant",
]
ROWS = 512
"""More than the tokenizer uses, as in Qwen2.5: the protocol's tokens fit into the spare ones."""


def write_base(folder: Path, *, tied: bool = False, rows: int = ROWS) -> Path:
    """Write random weights and a byte-level BPE tokenizer that knows ChatML and nothing of the protocol."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def _tokenizer() -> Qwen2Tokenizer:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(TEXT, trainer)
    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    turns = ["<|im_start|>", "<|im_end|>"]
    return Qwen2Tokenizer(vocab=bpe.get_vocab(), merges=merges, extra_special_tokens=turns)
