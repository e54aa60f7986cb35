"""A JSON Schema as the rules of a grammar, checked whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

from steiner.server.intake.json_schema.document import SchemaDocument, SchemaRefusal, extended
from steiner.server.intake.json_schema.lark import PUNCTUATION, Rules
from steiner.server.intake.json_schema.lexemes import first_bytes
from steiner.server.intake.json_schema.normal_form import NormalForm
from steiner.server.intake.json_schema.trial import try_out

MAX_CHARACTERS = 120_000
"""Of a schema as JSON text; OpenAI's limit on structured outputs counts alike."""
MAX_GRAMMARS = 128
"""That are remembered by the text of their schema."""


@dataclass(frozen=True, slots=True)
class SchemaRules:
    """Rules of llguidance's Lark, without a `start` and without `punctuation`.

    Attributes:
        root: the rule of the whole value.
    """

    root: str
    lines: tuple[str, ...]


def schema_rules(schema: object, prefix: str = "") -> SchemaRules:
    """The JSON values that fit a schema.

    Not everything that fits can be written: members come in the order of `properties`, an object that declares
    properties has no others unless the schema says what they are, and numbers have 15 digits at most unless a bound is
    longer. What can be written fits.

    Args:
        prefix: of the rules' names.

    Raises:
        SchemaRefusal: it cannot be enforced.
    """
    try:
        return _rules(_text_of(schema), prefix)
    except RecursionError as error:
        raise SchemaRefusal("", "it is nested too deep; flatten it") from error


def _text_of(schema: object) -> str:
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise SchemaRefusal(
            _pointer_of(schema, _is_endless), "numbers beyond what a double holds are not supported"
        ) from error
    if not text.isascii() and (half := _pointer_of(schema, _has_half_a_character)):
        raise SchemaRefusal(half, "half of a surrogate pair is no character; send both halves or neither")
    if len(text) > MAX_CHARACTERS:
        raise SchemaRefusal("", f"it has {len(text)} characters, of {MAX_CHARACTERS} at most; shorten it")
    return text


def punctuation() -> list[str]:
    """The terminals that all schemas share."""
    return [f"{name}: /{body}/" for name, body in PUNCTUATION.items()]


def _is_endless(value: object) -> bool:
    if isinstance(value, int):
        # Python itself reads and writes no more than 4300 digits.
        return value.bit_length() > 14_000
    return isinstance(value, float) and not isfinite(value)


def _has_half_a_character(value: object) -> bool:
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


def _pointer_of(value: object, test: Callable[[object], bool], pointer: str = "") -> str:
    """To the first part that a test is true of, or to the member that has such a name; empty where there is none."""
    if test(value):
        return pointer
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        found = pointer if test(step) else _pointer_of(part, test, extended(pointer, step))
        if found:
            return found
    return ""


@lru_cache(maxsize=MAX_GRAMMARS)
def _rules(text: str, prefix: str) -> SchemaRules:
    document = SchemaDocument(json.loads(text))
    try:
        form = NormalForm(document)
        rules = Rules(form, prefix)
        root = rules.name_of(
            frozenset({document.root}) if document.root.schema not in (True, {}) else frozenset()
        )
        lines = rules.lines(root)
    except RecursionError as error:
        raise SchemaRefusal(document.first_reference(), "it is nested too deep; flatten it") from error
    if not lines:
        endless = SchemaRefusal(document.first_reference(), "no value that comes to an end fits")
        is_endless = bool(form.values(frozenset({document.root})))
        raise endless if is_endless else form.ways.conflict or endless
    text = "\n".join([f"start: {root}", *lines, *punctuation()])
    try:
        is_empty = not first_bytes(text)
        if not is_empty:
            try_out(text)
    except ValueError as error:
        raise SchemaRefusal(document.widest(), f"its grammar is too large ({error}); simplify it") from error
    if is_empty:
        raise form.ways.conflict or SchemaRefusal("", "no value fits it")
    return SchemaRules(root, tuple(lines))
