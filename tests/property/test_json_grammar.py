"""What the grammars of schemas let a model write is JSON and fits: walks through xgrammar's masks, drawn at random."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import jsonschema
import pytest
import xgrammar
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.server.ebnf import GrammarError, ebnf_of
from steiner.server.json_grammar import json_format, structural_tag_of

END = 256
MAX_BYTES = 2000
ATOMS: tuple[str, ...] = (
    "a",
    "é",
    '"',
    r"\\",
    r"\n",
    r"\x1f",
    "\x01",
    ".",
    r"\s",
    r"\w",
    r"\d",
    r"\S",
    "[^a]",
    "[^é]",
    "[éa]",
)
ATOMS += ('[^"]', "[ -~]", r"[\s\S]", r"[^\\\"]", r"[\x00-\x40]", "(é|b)", '("|b)', "Ā")
PATTERNS = st.lists(
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(("", "?", "*", "{1,3}"))), min_size=1, max_size=4
).map(lambda parts: "^" + "".join(atom + count for atom, count in parts) + "$")


@cache
def compiler() -> xgrammar.GrammarCompiler:
    vocabulary = [bytes([byte]) for byte in range(END)] + [b"<end>"]
    return xgrammar.GrammarCompiler(xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[END]))


def grammar_of(schema: dict[str, Any]) -> xgrammar.CompiledGrammar:
    return compiler().compile_grammar(ebnf_of(structural_tag_of(json_format(schema))))


def walk(grammar: xgrammar.CompiledGrammar, draw: random.Random) -> str | None:
    """An answer of random weights over bytes; None where it is not at its end in time."""
    matcher, taken = xgrammar.GrammarMatcher(grammar), bytearray()
    bitmask = xgrammar.allocate_token_bitmask(1, END + 1)
    while len(taken) < MAX_BYTES:
        matcher.fill_next_token_bitmask(bitmask)
        words = bitmask[0].tolist()
        allowed = [one for one in range(END + 1) if words[one // 32] >> (one % 32) & 1]
        assert allowed, taken
        ends = END in allowed and draw.random() < 0.5
        # Quotation marks are one byte of a hundred; taken where they may be, walks get somewhere.
        closes = [one for one in allowed if one in set(b'"]}')] if draw.random() < 0.2 else []
        token_id = END if ends else draw.choice(closes or allowed)
        assert matcher.accept_token(token_id)
        if token_id == END:
            # Halves of surrogate pairs and overlong forms are bytes that a decoder replaces, as the server's does.
            return taken.decode(errors="replace")
        taken.append(token_id)
    return None


def take(grammar: xgrammar.CompiledGrammar, value: object) -> bool:
    """Whether a value may be the whole answer."""
    matcher = xgrammar.GrammarMatcher(grammar)
    text = json.dumps(value, ensure_ascii=False)
    return matcher.accept_string(text) and matcher.is_completed()


@settings(deadline=None, max_examples=40)
@given(pattern=PATTERNS, seed=st.integers(0, 2**32), of_names=st.booleans())
def test_strings_of_a_pattern_are_json_or_it_is_refused(pattern: str, seed: int, of_names: bool) -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern}
    if of_names:
        schema = {"type": "object", "patternProperties": {pattern: {"type": "null"}}}
    try:
        grammar = grammar_of(schema)
    except GrammarError:
        return
    draw = random.Random(seed)
    for _ in range(4):
        answer = walk(grammar, draw)
        if answer is not None:
            json.loads(answer)


BOUNDED = {"type": "string", "minLength": 1, "maxLength": 4}
SCHEMAS: dict[str, dict[str, Any]] = {
    "bounded strings": BOUNDED,
    "e-mail addresses": {"type": "string", "format": "email"},
    "texts beyond ASCII": {"enum": ["größe", "éa", "é", "\u2028a", "😀a", '\\xe9a"\n']},
    "names beyond ASCII": {
        "type": "object",
        "properties": {"éa": BOUNDED, 'a"\\': {"type": "null"}},
        "required": ["éa"],
        "additionalProperties": False,
    },
    "a pattern": {"type": "string", "pattern": "^[äa]b(é|c)a{1,3}$"},
    "any object": {"type": "object"},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_answers_fit_the_schema(name: str) -> None:
    grammar, draw, num_ended = grammar_of(SCHEMAS[name]), random.Random(7), 0
    for _ in range(30):
        answer = walk(grammar, draw)
        if answer is None:
            continue
        num_ended += 1
        jsonschema.validate(json.loads(answer), SCHEMAS[name])
    assert num_ended >= 10


@pytest.mark.parametrize("value", SCHEMAS["texts beyond ASCII"]["enum"])
def test_letters_beyond_ascii_stay_themselves(value: str) -> None:
    assert take(grammar_of(SCHEMAS["texts beyond ASCII"]), value)
    assert take(grammar_of({"type": "object", "properties": {value: {"type": "null"}}}), {value: None})


@pytest.mark.parametrize(
    "pattern", ['^a"b$', r"^\\$", r"^\n$", "^\x01$", '^[^a]"$', r"^[\x00-\x1f]$", r"^\cJ$"]
)
@pytest.mark.parametrize("place", ["string", "name"])
def test_a_pattern_that_needs_escapes_is_refused_by_name(pattern: str, place: str) -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern}
    if place == "name":
        schema = {"type": "object", "patternProperties": {pattern: {"type": "null"}}}
    with pytest.raises(GrammarError) as refused:
        grammar_of({"type": "array", "items": schema})
    assert repr(pattern) in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["^[^@]+@x$", '^[^"]*$', r"^\d{3}$", "^[ -~]+$", r"^(a|\w+é)?$", ".", "^[äöü]$"]
)
def test_other_patterns_are_taken(pattern: str) -> None:
    grammar_of({"type": "string", "pattern": pattern})
