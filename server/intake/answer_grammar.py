"""The grammars of answers in llguidance's Lark, with the rule `answer` for the whole of one.

They are made of texts only, without token ids. A tokenizer that has `<tool_call>` as one token may use it, and others
spell it out. `server/conductor/requests.py` adds what ends the answer.

https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from steiner.server.intake.json_schema.code_points import escaped
from steiner.server.intake.json_schema.grammar import SchemaRules, punctuation, schema_rules
from steiner.server.intake.json_schema.lexemes import first_bytes
from steiner.server.intake.json_schema.trial import try_out

MAX_TRIED = 128
"""Grammars that are tried out once: trying takes longer than all else that a request with tools needs."""


def grammar_text(answer: str, parts: Iterable[SchemaRules] = (), more: Iterable[str] = ()) -> str:
    """A grammar whose rule `answer` is made of the rules of schemas."""
    rules = [line for part in parts for line in part.lines]
    return "\n".join([f"answer: {answer}", *more, *rules, *(punctuation() if rules else [])])


def json_grammar(schema: object) -> str:
    """JSON that fits a schema.

    Raises:
        SchemaRefusal: it cannot be enforced.
    """
    rules = schema_rules(schema)
    return grammar_text(rules.root, [rules])


def text_without(excluded: str) -> str:
    """The terminal for text of one character or more that does not contain another text."""
    return f"/(?s:.+)/ & ~/(?s:.*){escaped(excluded)}(?s:.*)/"


def text_up_to(end: str) -> str:
    """The lazy terminal for text up to and including the first occurrence of another text."""
    return f"/(?s:.*){escaped(end)}/"


def exact_text(text: str) -> str:
    """The terminal for exactly this text."""
    return f"/{escaped(text)}/"


@lru_cache(maxsize=MAX_TRIED)
def fault_of(grammar: str, rule: str = "answer") -> str | None:
    """Why the engine would refuse a grammar, or give up an answer in the middle; None where it takes it.

    Args:
        rule: the one that is tried.
    """
    text = f"start: {rule}\n{grammar}"
    try:
        if not first_bytes(text):
            return "nothing fits it"
        try_out(text)
    except ValueError as error:
        return str(error)
    return None
