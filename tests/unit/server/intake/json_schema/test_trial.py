"""Grammars that an engine would give up in the middle of an answer are found before."""

import pytest

from steiner.server.intake.json_schema.trial import try_out


@pytest.mark.parametrize("body", ["[a-z]+", "(?s:.{0,19999})", ".*a.{15}b.*", '"(?:[^"]*)"'])
def test_ordinary_words_pass(body: str) -> None:
    try_out(f"start: WORD\nWORD: /{body}/")


@pytest.mark.parametrize(
    "word",
    [
        " & ".join(f"/(?s:.*){letter}(?s:.{{60}})z(?s:.*)/" for letter in "abc"),
        "/((((a{100}){100}){100}){100})/",
    ],
)
def test_words_of_too_many_states_do_not(word: str) -> None:
    with pytest.raises(ValueError, match=r"expressions|fuel|large"):
        try_out(f"start: WORD\nWORD: {word}")


def test_too_many_alternatives_at_one_place_do_not_pass() -> None:
    def grammar(number: int) -> str:
        rules = [f"r{n}: OPEN s{n} CLOSE\ns{n}: W{n} | W{n} s{n}\nW{n}: /k{n};/" for n in range(number)]
        start = f"start: {' | '.join(f'r{n}' for n in range(number))}"
        return "\n".join([start, r"OPEN: /\{ ?/", r"CLOSE: /\}/", *rules])

    try_out(grammar(100))
    with pytest.raises(ValueError, match="items"):
        try_out(grammar(2000))


def test_what_is_no_grammar_is_told() -> None:
    with pytest.raises(ValueError, match="grammar"):
        try_out("word: nothing")
