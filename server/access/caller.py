"""Who sent a request. What a caller makes belongs to that caller: to any other it does not exist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A name, as the settings give it to a key; never the key."""

    name: str


ANONYMOUS = Caller("anonymous")
"""Everyone, on a server without keys."""
