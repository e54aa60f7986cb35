"""What readers see of a generation, wherever it is: running here, running elsewhere, or finished."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Protocol

from steiner.reasoning.events import Event
from steiner.reasoning.trace import Trace

Endpoint = Literal["chat", "reasoning", "responses"]


class Readable(Protocol):
    """One generation, wherever it is kept.

    Attributes:
        owner: name of the caller that it belongs to.
        created: when it was started, in seconds of Unix time.
        finished_at: when its log got its terminal event; None before.
        endpoint: under which it was started.
        request: what that endpoint needs to know about the request later; JSON.
    """

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def finished_at(self) -> float | None: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def request(self) -> dict[str, Any]: ...

    @property
    def finished(self) -> bool:
        """Whether the log has its terminal event."""

    @property
    def first_sequence_number(self) -> int:
        """Number of the oldest event that can still be read; 1 unless the log grew beyond its limit."""

    @property
    def last_sequence_number(self) -> int:
        """Number of the newest event; 0 before the first."""

    @property
    def max_seen(self) -> int:
        """No reader can have seen an event above this number. If it runs elsewhere, this process may be behind."""

    @property
    def trace(self) -> Trace:
        """The tree so far."""

    def events(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Every event numbered above `after`, in order, in batches as they come, up to the terminal one.

        Ends earlier only if the rest was removed meanwhile.

        Raises:
            NotReady: the store does not answer, or events were lost before they could be read.
        """

    async def stop(self) -> None:
        """End it early, unless it has ended, and wait until it has."""
