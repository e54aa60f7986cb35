"""What clients add to messages and items that this server gave out, when they send them back.

Client libraries keep their own notes in an answer's message: what they parsed, fields of other providers, deltas of a
stream joined into one. None of that is for the model, so it is left out. A field that looks like a misspelling of a
missing one is kept, so that it is refused by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import ConfigDict

from steiner.server.intake.request_model import RequestModel

LOOKS_LIKE = 0.8
"""Ratio of difflib from which a name counts as a misspelling."""
MOST_COMPARED = 64
"""The most unknown fields that are compared: comparing takes a while, and a body may hold very many."""
UNSAID = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})
"""Types of content parts that repeat an earlier answer's reasoning; only `reasoning_steps` say what to keep of it."""


class SentBack(RequestModel):
    """An object of an earlier answer, or of a tool's answer to it; what a client added is left out."""

    model_config = ConfigDict(extra="ignore")


def without_notes(given: object, known: Collection[str], needed: Iterable[str] = ()) -> Any:
    """An object without the fields that a client added.

    Args:
        given: the object; anything else is passed on.
        known: fields that are read here.
        needed: those without which the object means something else; a field that resembles a missing one stays.
    """
    if not isinstance(given, dict):
        return given
    unknown = [name for name in given if name not in known]
    misspelled: set[str] = set()
    for name in needed if unknown else ():
        if given.get(name) is None:
            misspelled.update(difflib.get_close_matches(name, unknown[:MOST_COMPARED], cutoff=LOOKS_LIKE))
    return {name: value for name, value in given.items() if name in known or name in misspelled}


def said_parts(content: object, known: Collection[str]) -> Any:
    """Content of an earlier answer without notes in its parts, and without parts that repeat its reasoning."""
    if not isinstance(content, list):
        return content
    said = [part for part in content if not (isinstance(part, dict) and _is_unsaid(part.get("type")))]
    return [without_notes(part, known) for part in said]


def _is_unsaid(kind: object) -> bool:
    return isinstance(kind, str) and kind in UNSAID


def text_of_arguments(given: object) -> object:
    """Arguments of a call. Some clients send null for none, which becomes an empty text."""
    return "" if given is None else given
