"""What the engines of these tests share: they note what they were asked, and what the conductor took."""

from __future__ import annotations

from collections.abc import Mapping

from steiner.server.conductor.conductor import Conductor
from steiner.server.engine.base import TokenRequest


class TapedEngine:
    """An engine without its `generate`.

    Attributes:
        requests: that it was given.
        tape: every token that the conductor took, and whether it was forced.
    """

    max_model_len = 100_000
    default_sampling: Mapping[str, float | int] = {}
    bias_refusal = None

    def __init__(self) -> None:
        self.requests: list[TokenRequest] = []
        self.tape: list[tuple[int, bool]] = []

    def attach(self, conductor: Conductor) -> None:
        """Record what the conductor takes."""
        take = conductor.progress.take

        def record(token_id: int, *, forced: bool = False, num_tokens: int = 1) -> None:
            self.tape.append((token_id, forced))
            take(token_id, forced=forced, num_tokens=num_tokens)

        conductor.progress.take = record  # type: ignore[method-assign]

    def draft_counts(self) -> Mapping[str, int] | None:
        return None

    async def check_health(self) -> None: ...

    def shutdown(self) -> None: ...
