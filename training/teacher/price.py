"""Money: how many tokens a text will be, what a call costs, and a purse that never spends more than its cap."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steiner.training.teacher.config import Price, TeachError

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


class CapReachedError(TeachError):
    """The next call might cost more than is left."""


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """In the currency of the price; prompt tokens that the teacher had cached count in full."""
    return (
        prompt_tokens * price.per_million_prompt_tokens
        + completion_tokens * price.per_million_completion_tokens
    ) / 1e6


@dataclass(slots=True)
class Purse:
    """What was spent, and what calls under way may still cost.

    Attributes:
        under_way: how many calls something is set aside for, `reserved` in all.
    """

    price: Price
    spent: float = 0.0
    reserved: float = 0.0
    under_way: int = 0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, amount: float) -> None:
        """Set the most that a call may cost aside, once what is under way leaves room for it.

        Raises:
            CapReachedError: nothing is under way, and it would be above the cap all the same.
        """
        while self.spent + self.reserved + amount > self.price.cap:
            if not self.under_way:
                currency = self.price.currency
                raise CapReachedError(
                    f"price.cap is {self.price.cap:g} {currency}: {self.spent:.4f} is spent, and the next call may "
                    f"cost {amount:.4f}. What was paid for is kept: raise the cap and run the command again, or "
                    "ask for less."
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved += amount
        self.under_way += 1

    def settle(self, reserved: float, spent: float) -> None:
        """A call is over: what was set aside for it is free again, but for what it did cost."""
        self.under_way -= 1
        self.reserved = max(0.0, self.reserved - reserved) if self.under_way else 0.0
        self.spent += spent
        self._settled.set()
