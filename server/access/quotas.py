"""What each caller may use: its key's limits over the deployment's."""

from __future__ import annotations

from collections.abc import Iterable

from steiner.server.access.caller import Caller
from steiner.server.access.keys import ApiKey, Limits


class Quotas:
    """Limits by caller.

    Args:
        default: of the deployment.
        keys: whose own limits outrank it.
    """

    def __init__(self, default: Limits, keys: Iterable[ApiKey]) -> None:
        self._default = default
        self._own = {key.name: key.limits for key in keys}

    def limits_of(self, caller: Caller) -> Limits:
        """Every limit as a number; 0 is none."""
        own = self._own.get(caller.name, Limits())
        return self._default.model_copy(update=own.model_dump(exclude_none=True))

    def max_concurrent(self, caller: Caller) -> int:
        """Generations at once, running and waiting; 0 is no limit."""
        return self.limits_of(caller).max_concurrent or 0
