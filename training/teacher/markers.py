"""Special tokens that a text spells: they would be trained as such, and break what they stand in."""

import re

_MARKER = re.compile(r"<\|[^|<>]+\|>")
"""As those of ChatML and of the protocols are spelled."""


def marker_in(text: str) -> str | None:
    """The first one, None if there is none."""
    found = _MARKER.search(text)
    return found and found[0]
