"""A nano model with random weights and the real tokenizer: `python -m steiner.training.random_checkpoint FOLDER`.

Behind the server it shows that the grammar enforces the protocol, not the training.
"""

import sys
from pathlib import Path

from steiner.training.checkpoint import save_checkpoint
from steiner.training.config import ModelShape
from steiner.training.model import build_model
from steiner.training.tokenizer import build_tokenizer, family_words

# vLLM's attention on CPUs has no kernel for heads narrower than 32.
NANO = ModelShape(width=64, layers=2, heads=2, ffn_width=176, max_positions=2048)


def write_random_checkpoint(folder: Path, seed: int = 0) -> None:
    """Write an untrained checkpoint that vLLM and transformers load."""
    tokenizer = build_tokenizer(family_words(), NANO.max_positions)
    save_checkpoint(build_model(NANO, tokenizer, seed), tokenizer, folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m steiner.training.random_checkpoint FOLDER")
    write_random_checkpoint(Path(sys.argv[1]))
