"""Money: what a call costs, and a purse that never spends more than its cap."""

import asyncio
from dataclasses import dataclass, field

from steiner.training.teacher.config import Price, TeachError


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
