"""Patterns: what they let a model write matches them, for Python and for ECMAScript."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.patterns import PatternError, conditions_of

ATOMS: tuple[str, ...] = (
    "a",
    "é",
    "b",
    '"',
    r"\\",
    r"\n",
    r"\x1f",
    r"\u0061",
    "\x01",
    ".",
    r"\.",
    r"\s",
    r"\w",
    r"\d",
    r"\S",
)
ATOMS += (
    r"\D",
    r"\W",
    "[^a]",
    "[^é]",
    "[éa]",
    '[^"]',
    "[ -~]",
    r"[\s\S]",
    r"[^\\\"]",
    r"[\x00-\x40]",
    "(é|b)",
)
ATOMS += ('("|b)', "Ā", "(?:ab|c)", r"[\d_-]", r"[^\w]", "😀", "(a|)", r"[\b]", "/", r"\/")
COUNTS = ("", "", "?", "*", "+", "{2}", "{1,3}", "{1,}", "*?")
PATTERNS = st.tuples(
    st.sampled_from(("", "^", "^(?!a)", r"^(?=.*\d)", r"^(?!\s|é$)")),
    st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(COUNTS)), min_size=1, max_size=4),
    st.sampled_from(("", "$", "|b$", "|^x")),
).map(lambda parts: parts[0] + "".join(atom + count for atom, count in parts[1]) + parts[2])
TEXTS = st.text(st.sampled_from('abx1_ é"\\\n\u2028\ufeff٣\u0561😀'), max_size=4)


def grammar_of(byte_grammar: Any, pattern: str) -> Any:
    try:
        return byte_grammar.of_schema({"type": "string", "pattern": pattern})
    except SchemaRefusal as refusal:
        assert refusal.pointer == "/pattern"  # noqa: PT017
        return None


@settings(deadline=None, max_examples=150)
@given(pattern=PATTERNS, seed=st.integers(0, 2**32))
def test_what_can_be_written_matches(byte_grammar: Any, pattern: str, seed: int) -> None:
    grammar, draw = grammar_of(byte_grammar, pattern), random.Random(seed)
    for _ in range(4 if grammar is not None else 0):
        text = grammar.walk(draw)
        if text is not None:
            assert re.search(pattern, json.loads(text)), text


@settings(deadline=None, max_examples=150)
@given(pattern=PATTERNS, text=TEXTS)
def test_what_does_not_match_cannot_be_written(byte_grammar: Any, pattern: str, text: str) -> None:
    grammar = grammar_of(byte_grammar, pattern)
    if grammar is not None and not re.search(pattern, text):
        assert not grammar.takes(json.dumps(text, ensure_ascii=False))


@settings(deadline=None, max_examples=150)
@given(pattern=PATTERNS, text=TEXTS)
def test_what_must_not_match_does_not(byte_grammar: Any, pattern: str, text: str) -> None:
    try:
        grammar = byte_grammar.of_schema({"type": "string", "not": {"pattern": pattern}})
    except SchemaRefusal:
        return
    if re.search(pattern, text):
        assert not grammar.takes(json.dumps(text, ensure_ascii=False))


# Where readers differ: pattern, texts that all of them match, texts that one of them does not
READERS: dict[str, tuple[str, list[str], list[str]]] = {
    "digits are 0 to 9": (r"^\d$", ["5"], ["٣"]),
    "others are no digit for anybody": (r"^\D$", ["a"], ["5", "٣"]),
    "letters of words are ASCII": (r"^\w$", ["a", "_", "5"], ["é", "\u0561"]),
    "white space": (r"^\s$", [" ", "\n", "\u2028"], ["\ufeff", "\x1c", "a"]),
    "the end is the end": ("^a$", ["a"], ["a\n"]),
    "a dot is no line end": ("^.$", ["a", "😀"], ["\n", "\r", "\u2028"]),
    "a lookahead keeps out what anybody reads": (r"^(?!\d).$", ["a"], ["5", "٣"]),
    "a repetition is of a whole escape": ('^"*$', ["", '"', '""'], ['"a']),
    "a slash may be escaped": (r"^\/$", ["/"], ["\\"]),
    "an alternative has its own anchors": ("a|^b|c$", ["xa", "by", "xc"], ["xb", "cx"]),
}


@pytest.mark.parametrize("case", READERS)
def test_where_readers_differ_the_stricter_one_is_kept(byte_grammar: Any, case: str) -> None:
    pattern, matching, others = READERS[case]
    grammar = byte_grammar.of_schema({"type": "string", "pattern": pattern})
    for text in matching:
        assert grammar.takes(json.dumps(text, ensure_ascii=False)), text
    for text in others:
        assert not grammar.takes(json.dumps(text, ensure_ascii=False)), text


def test_a_name_that_only_some_readers_match_keeps_to_both_sides(byte_grammar: Any) -> None:
    rules = {"patternProperties": {r"^\w+$": {"minimum": 5}}, "additionalProperties": {"maximum": 7}}
    schema = {"type": "object", "properties": {"é": {"type": "integer"}}, **rules}
    grammar = byte_grammar.of_schema(schema)
    assert grammar.takes('{"é":6}')
    assert not grammar.takes('{"é":4}')
    # By `properties` it is no further member for anybody.
    assert grammar.takes('{"é":9}')
    grammar = byte_grammar.of_schema({"type": "object", **rules})
    assert grammar.takes('{"a":9,"!":1}')
    assert not grammar.takes('{"é":6}')


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\cJ", "read alike"),
        ("[]", "read alike"),
        ("(?i)a", "flags"),
        ("a{,3}", "brace"),
        (r"(a)\1", r"\1"),
        ("a(?=b)", "lookahead"),
        ("(?<=a)b", "lookbehind"),
        (r"\p{L}", "read alike"),
        ("a{2", "brace"),
        ("a**", "read alike"),
        (r"\bfoo", r"\b"),
        ("x{6000}", "5000"),
        ("a^b", "anchor"),
        ("a$b", "anchor"),
        ("(a", "read alike"),
        ("[z-a]", "read alike"),
        ("^(?!a)b|c", "alternatives"),
        ("(" * 500 + ")" * 500, "read alike"),
    ],
)
def test_what_cannot_be_read_alike_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(PatternError) as refused:
        conditions_of(pattern)
    assert words in str(refused.value)
