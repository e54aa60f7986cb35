"""Held-out problems are chosen by what a problem is, not by the row it stands in."""

import hashlib

HELD_OUT_SHARE = 20
"""One canonical problem in this many is held out."""


def is_held_out(canonical: str) -> bool:
    """Whether every problem with this identity is kept from training; the same on every machine and run."""
    digest = hashlib.sha256(canonical.encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_SHARE == 0
