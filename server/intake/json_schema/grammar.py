"""A JSON Schema as the rules of a grammar, checked whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from steiner.server.intake.json_schema.document import SchemaDocument, SchemaRefusal
from steiner.server.intake.json_schema.lark import PUNCTUATION, Rules
from steiner.server.intake.json_schema.lexemes import first_bytes
from steiner.server.intake.json_schema.normal_form import NormalForm

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
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise SchemaRefusal("", "numbers beyond what a double holds are not supported") from error
    except RecursionError as error:
        raise SchemaRefusal("", "it is nested too deep; flatten it") from error
    if len(text) > MAX_CHARACTERS:
        raise SchemaRefusal("", f"it has {len(text)} characters, of {MAX_CHARACTERS} at most; shorten it")
    return _rules(text, prefix)


def punctuation() -> list[str]:
    """The terminals that all schemas share."""
    return [f"{name}: /{body}/" for name, body in PUNCTUATION.items()]


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
        raise SchemaRefusal("", "it is nested too deep; flatten it") from error
    if not lines:
        raise form.ways.conflict or SchemaRefusal(
            document.first_reference(), "no value that comes to an end fits"
        )
    fault, first = first_bytes("\n".join([f"start: {root}", *lines, *punctuation()]))
    if fault is not None:
        raise SchemaRefusal("", f"its grammar is too large ({fault}); simplify it")
    if not first:
        raise form.ways.conflict or SchemaRefusal("", "no value fits it")
    return SchemaRules(root, tuple(lines))
