"""How many tokens a text will be, before the teacher says how many it was."""

from collections.abc import Callable, Sequence
from pathlib import Path

from steiner.training.teacher.config import TeachError

TOKENS_PER_MESSAGE = 4
"""Role and turn markers, as OpenAI counts them."""
ASCII_PER_TOKEN = 4


def token_counter(tokenizer: Path | None) -> Callable[[str], int]:
    """Count by the tokenizer, or by the rule if there is none.

    Raises:
        TeachError: the folder has no tokenizer.
    """
    if tokenizer is None:
        return rule
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    except (OSError, ValueError) as error:
        raise TeachError(f"teacher.tokenizer: {tokenizer} holds no tokenizer: {error}") from error
    return lambda text: len(loaded.encode(text, add_special_tokens=False))


def rule(text: str) -> int:
    """A token for four ASCII characters, and one for each other character; rounded up."""
    num_ascii = sum(character.isascii() for character in text)
    return -(-num_ascii // ASCII_PER_TOKEN) + len(text) - num_ascii


def prompt_tokens(count: Callable[[str], int], texts: Sequence[str]) -> int:
    """Tokens of a prompt whose messages have these texts."""
    return sum(count(text) + TOKENS_PER_MESSAGE for text in texts)
