"""A model with random weights and the real tokenizer: `python -m steiner.training.random_checkpoint FOLDER`.

When served, it shows that the grammar enforces the protocol, not the training. With another shape, it shows what
serving costs at other sizes.
"""

import argparse
from pathlib import Path

from steiner.training.config.recipe import ModelShape
from steiner.training.model.checkpoint import save_checkpoint
from steiner.training.model.tokenizer import build_tokenizer, family_words
from steiner.training.model.wired_qwen2 import build_model

# vLLM's attention on CPUs has no kernel for heads narrower than 32.
NANO = ModelShape(width=64, layers=2, heads=2, ffn_width=176, max_positions=2048)


def write_random_checkpoint(folder: Path, seed: int = 0, shape: ModelShape = NANO) -> None:
    """Write an untrained checkpoint that vLLM and transformers load."""
    tokenizer = build_tokenizer(family_words(), shape.max_positions)
    save_checkpoint(build_model(shape, tokenizer, seed), tokenizer, folder)


def main() -> None:
    """Write one with the shape on the command line."""
    parser = argparse.ArgumentParser(description="Write a model with random weights and the real tokenizer.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    for name, value in NANO.model_dump(exclude={"rope_theta"}).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=value, help="default: %(default)s"
        )
    given = vars(parser.parse_args())
    folder, seed = given.pop("folder"), given.pop("seed")
    write_random_checkpoint(folder, seed, ModelShape(**given))


if __name__ == "__main__":
    main()
