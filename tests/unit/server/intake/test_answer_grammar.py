"""The grammars of answers: what they are made of, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from steiner.server.intake.answer_grammar import (
    exact_text,
    fault_of,
    grammar_text,
    json_grammar,
    text_up_to,
    text_without,
)
from steiner.server.intake.json_schema.document import SchemaRefusal
from steiner.server.intake.json_schema.grammar import schema_rules


def test_json_that_fits_a_schema_is_the_whole_answer(byte_grammar: Any) -> None:
    grammar = byte_grammar(json_grammar({"type": "integer"}))
    assert grammar.takes("5")
    for text in ("", " 5", "5 ", "5.0", "```5```", "5\n"):
        assert not grammar.takes(text), text


def test_white_space_between_words_is_one_character_at_most(byte_grammar: Any) -> None:
    grammar = byte_grammar(json_grammar({"type": "object", "properties": {"a": {"type": "array"}}}))
    for text in ('{"a":[1,2]}', '{"a": [1, 2]}', '{\n"a" :\t[ 1 , 2 ]\n}', "{}", "{ }"):
        assert grammar.takes(text), text
    for text in ('{  "a": []}', '{"a":  []}', '{"a": []  }', '{\n\t"a": []}'):
        assert not grammar.takes(text), text


def test_a_schema_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(SchemaRefusal, match="uniqueItems at '/uniqueItems'"):
        json_grammar({"type": "array", "uniqueItems": True})


def test_schemas_of_different_prefixes_go_into_one_grammar(byte_grammar: Any) -> None:
    parts = [schema_rules({"const": "a"}, "x_"), schema_rules({"type": "integer"}, "y_")]
    grammar = byte_grammar(grammar_text(f'{parts[0].root} "," {parts[1].root}', parts))
    assert grammar.takes('"a",5')
    assert not grammar.takes('5,"a"')


@pytest.mark.parametrize("marker", ["<tool_call>", "aab", 'a"\\é', "::="])
def test_text_with_and_without_a_marker(byte_grammar: Any, marker: str) -> None:
    without = byte_grammar(grammar_text("TEXT", more=[f"TEXT: {text_without(marker)}"]))
    up_to = byte_grammar(grammar_text('head "!"', more=[f"head[lazy]: {text_up_to(marker)}"]))
    exact = byte_grammar(grammar_text("TEXT", more=[f"TEXT: {exact_text(marker)}"]))
    for text in ("x", "a\nb", marker[:-1], f"{marker[:1]}{marker[:-1]}", "é"):
        assert without.takes(text), text
        assert not exact.takes(text)
        assert up_to.takes(f"{text}{marker}!"), text
    for text in (marker, f"x{marker}", f"{marker}x"):
        assert not without.takes(text), text
    assert exact.takes(marker)
    assert not up_to.takes(f"{marker}{marker}!")


def test_faults_are_told() -> None:
    assert fault_of(json_grammar({"type": "object"})) is None
    assert fault_of("answer: /[a&&b]/") == "nothing fits it"
    assert fault_of("answer: missing") is not None
    assert fault_of(f"{json_grammar({'const': 1})}\nother: missing_too", "other") is not None
