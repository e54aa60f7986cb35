"""A base as Qwen2.5's are, made here and tiny: its architecture, its kind of tokenizer, spare rows, bfloat16."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

TEXT = [
    "make 22 from 15 4 11", "roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern", "left 4 11 try 15 + 4",
    "what is known so far", "the next step", "a check of that step", "a short summary of the step", "start of a message",
    "end of the reasoning, here is the answer", "go on to the next step", "go back to an earlier step", "this is wrong",
    "system user assistant correct",
]  # fmt: skip
ROWS = 512
"""More than the tokenizer uses, as in Qwen2.5: the protocol's tokens fit into the spare ones."""


def write_base(folder: Path, *, tied: bool = False, rows: int = ROWS, layers: int = 2) -> Path:
    """Write random weights and a byte-level BPE tokenizer that knows ChatML and nothing of the protocol."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    bpe.save(str(folder / "bpe.json")) if folder.mkdir(parents=True, exist_ok=True) else None
    vocab = bpe.get_vocab()
    merges = [tuple(pair) for pair in _merges(bpe)]
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges, extra_special_tokens=["<|im_start|>", "<|im_end|>"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def _merges(bpe: Tokenizer) -> list[list[str]]:
    import json

    merges: list[list[str]] = json.loads(bpe.to_str())["model"]["merges"]
    return merges
