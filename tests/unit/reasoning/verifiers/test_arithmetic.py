"""Which equations in free text are refuted, and which are left alone."""

import pytest

from steiner.reasoning.steps import Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import Judgement, find_verifier
from steiner.reasoning.verifiers.arithmetic import MAX_TEXT

VERIFIER = find_verifier("arithmetic")
NOTHING = Trace(protocol="steiner")


def judge(next_step: str, problem: str = "How much is it?", understanding: str = "") -> Judgement | None:
    sections = (
        Section(role="understanding", name="understanding", text=understanding, num_tokens=1),
        Section(role="next_step", name="next_step", text=next_step, num_tokens=1),
    )
    return VERIFIER.verify(problem, NOTHING, Step(id=1, depth=1, parent=0, sections=sections))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12 * 7 = 85", "12 * 7 = 84, not 85"),
        ("85 = 12 * 7", "12 * 7 = 84, not 85"),
        ("12 \u00d7 7 = 85.", "12 * 7 = 84, not 85"),
        ("12 \u00b7 7 = 85", "12 * 7 = 84, not 85"),
        ("10 \u2212 3 = 6", "10 - 3 = 7, not 6"),
        ("12 \u00f7 5 = 2", "12 / 5 = 2.4, not 2"),
        ("3 - 8 = 5", "3 - 8 = -5, not 5"),
        ("2^10 = 1025", "2^10 = 1024, not 1025"),
        ("2 ** 3 = 6", "2 ** 3 = 8, not 6"),
        ("1,200 * 3 = 3,601", "1,200 * 3 = 3600, not 3,601"),
        ("1/3 + 1/6 = 2/3", "1/3 + 1/6 = 0.5, not 2/3"),
        ("1/3 = 1/4 + 1/6", "1/4 + 1/6 = 5/12, not 1/3"),
        ("1 + 2 = 2 + 2", "1 + 2 = 3, but 2 + 2 = 4"),
        ("2 + 3 = 5 = 10 / 3", "10 / 3 = 3.3333..., not 5"),
        ("0.1 + 0.2 = 0.4", "0.1 + 0.2 = 0.3, not 0.4"),
        ("1/3 = 0.34", "1/3 = 0.3333..., not 0.34"),
        ("50% * 200 = 101", "50% * 200 = 100, not 101"),
        ("1/4 = 26%", "1/4 = 0.25, not 26%"),
        ("20% + 30% = 60%", "20% + 30% = 0.5, not 60%"),
        ("99^60 = 1", "99^60 = about 5.47e+119, not 1"),
        ("First, compute 12 * 7 = 85, then add three.", "12 * 7 = 84, not 85"),
        ("We have 3 + 4 = 7, so 7 * 2 = 15.", "7 * 2 = 14, not 15"),
        ("3 + 4 = 7; 7 * 2 = 15", "7 * 2 = 14, not 15"),
        ("3 + 4 = 7, 7 * 2 = 15", "7 * 2 = 14, not 15"),
        ("Add them up.\n3 + 4 = 8\n", "3 + 4 = 7, not 8"),
        ("The total (12 * 7 = 85).", "12 * 7 = 84, not 85"),
        ("Step 2: 12 * 7 = 85", "12 * 7 = 84, not 85"),
        ("Compute: (1 + 2) * 3 = 10", "(1 + 2) * 3 = 9, not 10"),
    ],
)
def test_false_equations_are_refuted(text: str, reason: str) -> None:
    assert judge(text) == Judgement("refuted", reason)


@pytest.mark.parametrize(
    "text",
    [
        "12 * (3 + 4) = 84",
        "0.1 + 0.2 = 0.3",
        "2 + 2 = 4 = 8 / 2",
        "1/3 = 0.33",
        "2/3 = 0.67",
        "2/3 = 0.66",
        "2/3 = 0.667 = 67%",
        "0.333 * 3 = 1",
        "1,000 * 2.5 = 2,500",
        "3 - 8 = -5",
    ],
)
def test_a_right_equation_does_not_make_a_right_step(text: str) -> None:
    assert judge(text) is None


@pytest.mark.parametrize(
    "text",
    [
        # Letters, functions, units that change the meaning.
        "x + 12 * 7 = 85",
        "2x = 5 - 2",
        "n = 12 * 7 = 85",
        "f(2 * 3) = 5",
        "3 x 4 = 13",
        "60 * 60 = 1 hour",
        "500 + 500 = 1 kg",
        "2 kg + 3 kg = 6 kg",
        "$3 + $4 = $8",
        "\u221a9 + 1 = 5",
        "3! + 1 = 8",
        "1 + 2 + 3 = 3!",
        "|3 - 8| = 5 + 1",
        # Not claimed to be equal.
        "12 * 7 \u2248 85",
        "12 * 7 ~= 85",
        "12 * 7 != 85",
        "12 * 7 <= 85",
        "12 * 7 == 85",
        "5 < 3 + 4 = 8",
        "12 * 7 is about 85, 12 * 7 = 85",
        "Is 12 * 7 = 85?",
        "Check whether 12 * 7 = 85.",
        "12 * 7 = 85 is wrong.",
        "It isn't true that 12 * 7 = 85.",
        "Suppose 12 * 7 = 85.",
        # Other arithmetic.
        "Modulo 5, 3 * 4 = 2",
        "17 % 5 = 2",
        "In binary 10 + 1 = 11",
        "17 / 5 = 3, remainder 2",
        "200 + 10% = 220",
        "-2^2 = 4",
        "2^2^3 = 64",
        "1/0 = 3",
        # Dates, versions, ratios, codes.
        "2024-01-05 = 2018 - 1",
        "1.2.3 = 4 + 5",
        "3 : 4 = 6 : 8 + 1",
        "007 + 1 = 9",
        # Postfix, as Countdown writes its moves.
        "10 7 * = 71",
        # A part of something longer.
        "Divide by 3 + 1 = 5",
        "Half of 12 + 2 = 8",
        "twice 3 + 4 = 8",
        "add 3 to 12 * 2 = 27",
        "the sum of 2, 3 * 1 = 5",
        "2 +\n3 + 4 = 9",
        "3 + 4 = 5\n+ 2",
        "the sum of 3 and\n2 + 4 = 9",
        "3 + 4 = 5\nplus two",
        "3 + 4 = 8, 9",
        "3 + 4 = 8 or so",
        "7 = 3 + 4 and a half",
        "2 * (3 + 4 = 8)",
        "2, 3 = 5",
        "- 3 + 4 = 7",
        "- 3 + 4 = 8",
        "3 + 4 =",
        "= 3 + 4",
        # Read differently elsewhere.
        "1.000 + 1 = 1.001",
        "1,5 + 1,5 = 4",
        "1,234 + 1 = 2,234",
    ],
)
def test_what_is_not_surely_false_is_left_alone(text: str) -> None:
    assert judge(text) is None


@pytest.mark.parametrize(
    "problem",
    [
        "If 1 + 2 = 6 and 2 + 3 = 15, what is 3 + 4?",
        "Given:\n1 + 2 = 6\n2 + 3 = 15\nwhat comes next?",
        "Work modulo 7.",
        "Define a * b as a + 2b.",
    ],
)
def test_a_problem_with_an_arithmetic_of_its_own_is_left_alone(problem: str) -> None:
    assert judge("3 + 4 = 28", problem) is None
    assert judge("3 + 4 = 28") is not None


def test_so_is_a_step_that_understands_it_so() -> None:
    assert judge("3 + 4 = 2", understanding="we count modulo 5") is None


def test_long_sections_are_left_alone() -> None:
    assert judge("3 + 4 = 8" + "." * MAX_TEXT) is None


def test_of_very_many_equations_only_the_first_are_read() -> None:
    assert judge("3 + 4 = 7, " * 100 + "3 + 4 = 8") is None
    assert judge("3 + 4 = 7, " * 10 + "3 + 4 = 8") is not None


def test_other_sections_and_answers_are_not_judged() -> None:
    assert judge("", understanding="3 + 4 = 8") is None
    assert VERIFIER.check_answer("How much is 3 + 4?", "3 + 4 = 8") is None
