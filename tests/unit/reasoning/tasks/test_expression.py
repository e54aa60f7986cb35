"""Expressions by hand: precedence, exactness, and what is not read."""

from fractions import Fraction

import pytest

from steiner.reasoning.tasks.expression import MAX_CHARACTERS, evaluate, read_expression, whole_number


def value_of(text: str, **options: bool) -> Fraction | None:
    return evaluate(text, whole_number, **options)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 3", 3),
        ("24 / 4 / 2", 3),
        ("6 / 2 * 3", 9),
        ("1 / 3 + 1 / 6", Fraction(1, 2)),
        ("-5 + 2", -3),
        ("3 - -8", 11),
        ("2 * -3", -6),
        ("-(2 + 3)", -5),
        ("2 ^ 10", 1024),
        ("2**10", 1024),
        ("3 * 2 ^ 2", 12),
        ("2 ^ -2", Fraction(1, 4)),
        ("(-2) ^ 2", 4),
        ("2 ^ (1 + 2)", 8),
    ],
)
def test_values(text: str, value: Fraction | int) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2 +",
        "* 2",
        "2 3",
        "2 (3)",
        "(2",
        "2)",
        "10 7 *",
        "x + 1",
        "+2",
        "1 / 0",
        "1 / (2 - 2)",
        "0 ^ 0",
        "0 ^ -1",
        "-2 ^ 2",
        "2 ^ 3 ^ 2",
        "2 ^ 65",
        "2 ^ (1 / 2)",
        "9 ^ 9 ^ 9",
        "(10 ^ 64) ^ 64",
        "\u0663",
        "1.5",
        "(" * 50 + "1" + ")" * 50,
        "1 + " * MAX_CHARACTERS + "1",
    ],
)
def test_what_has_no_value(text: str) -> None:
    assert value_of(text) is None


def test_products_that_grow_without_end_are_not_worked_out() -> None:
    assert value_of(" * ".join(["99 ^ 64"] * 20)) is None


def test_signs_and_powers_can_be_left_out() -> None:
    assert value_of("-1", has_signs=False) is None
    assert value_of("2 ^ 3", has_powers=False) is None


def test_an_expression_names_the_numbers_it_uses() -> None:
    assert read_expression("( 15 - 4 ) * 2") == (Fraction(22), [15, 4, 2])
    assert read_expression("-4 + 15") is None
