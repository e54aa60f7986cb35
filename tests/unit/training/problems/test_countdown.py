"""Countdown: arithmetic by hand, and a checker that is exact."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.tasks.countdown import MAX_VALUE, Combine, CountdownProblem, result_of
from steiner.training.problems import MalformedProblemError
from steiner.training.problems.countdown import Countdown
from steiner.training.problems.dag import build_dag
from steiner.training.traces.walk import sample_trace

FAMILY = Countdown()
PROBLEM = FAMILY.parse("make 22 from 15 4 11")


@pytest.mark.parametrize(
    "answer", ["( 15 - 4 ) + 11", "15 - 4 + 11", "11+(15-4)", "(11)+((15)-(4))", "15 + 11 - 4", "15-(4-11)"]
)
def test_any_right_expression_is_accepted(answer: str) -> None:
    assert FAMILY.check(PROBLEM, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "22",
        "11 + 11",
        "15 + 11",
        "15 + 11 - 4 + 4 - 4",
        "15 + 11 - 4 = 22",
        "15 + 11 - 4 * 1",
        "15 + 11 - 5",
        "15 + 11 + -4",
        "+15 + 11 - 4",
        "(15 + 11 - 4",
        "15 + 11 - 4)",
        "15 + 11 - 4 )(",
        "15 + 11 - ()4",
        "15 11 4",
        "1 5 + 11 - 4",
        "15.0 + 11 - 4",
        "15 + 1_1 - 4",
        "15 + 11 - 4 # 22",
        "make 22",
        "\u0661\u0665 + 11 - 4",
        "\uff11\uff15 + 11 - 4",
        "15 + 11 - \u2463",
        "15 \u2212 4 + 11",
        "15 + 11 - 4" + " " * 400,
    ],
)
def test_anything_else_is_refused(answer: str) -> None:
    assert not FAMILY.check(PROBLEM, answer)


def test_an_equal_number_may_be_used_as_often_as_it_is_given() -> None:
    twice = FAMILY.parse("make 10 from 5 5")
    assert FAMILY.check(twice, "5 + 5")
    assert not FAMILY.check(FAMILY.parse("make 10 from 5 2"), "5 + 5")


def test_division_is_exact() -> None:
    assert FAMILY.check(FAMILY.parse("make 3 from 7 7 3"), "7 / 7 * 3")
    assert FAMILY.check(FAMILY.parse("make 7 from 1 3 21"), "21 * ( 1 / 3 )")
    assert not FAMILY.check(FAMILY.parse("make 2 from 7 3"), "7 / 3")
    assert not FAMILY.check(FAMILY.parse("make 10 from 10 3 3"), "10 / ( 3 - 3 )")


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("make 22 from 15", "make 22 from 15"),
        ("make 22 from 1 2 3 4 5 6 7", "make 22 from 1 2"),
        ("make -2 from 1 3", "make -2"),
        ("make 22 from 15 4 11 please", "please"),
        ("Make 22 from 15 4 11", "Make 22"),
        ("make 22 from 15  4", "make 22"),
        ("make 200 from 15 4", "199"),
        ("make 22 from 15 200", "199"),
        ("make 2222 from 15 4", "make 2222"),
        ("make \u0662\u0662 from 15 4 11", "make"),
    ],
)
def test_a_malformed_problem_is_named(prompt: str, named: str) -> None:
    with pytest.raises(MalformedProblemError) as caught:
        FAMILY.parse(prompt)
    assert named in str(caught.value)


@given(st.lists(st.integers(0, MAX_VALUE), min_size=2, max_size=4), st.integers(0, MAX_VALUE), st.randoms())
def test_the_order_of_the_numbers_changes_nothing_but_the_prompt(
    numbers: list[int], target: int, rng: random.Random
) -> None:
    problem = CountdownProblem(tuple(numbers), target)
    other = CountdownProblem(tuple(rng.sample(numbers, len(numbers))), target)
    assert FAMILY.canonical(problem) == FAMILY.canonical(other)
    assert FAMILY.root(problem) == FAMILY.root(other)
    assert FAMILY.canonical(problem) == FAMILY.canonical(problem._replace(target=target + 1))


@given(st.lists(st.integers(0, MAX_VALUE), min_size=2, max_size=4))
def test_every_intermediate_result_is_a_number_the_tokenizer_knows(numbers: list[int]) -> None:
    problem = CountdownProblem(tuple(numbers), 10)
    for move in FAMILY.moves(problem, FAMILY.root(problem)):
        assert 0 <= result_of(move) <= MAX_VALUE
        assert move.left >= move.right
        if move.operator == "/":
            assert move.left == result_of(move) * move.right


@pytest.mark.parametrize(
    ("num_tried", "said"),
    [(0, ""), (1, " 7 7 -"), (4, " 7 7 - + * / end"), (5, " 7 2 +"), (7, " 7 2 + - * end")],
)
def test_a_step_says_what_was_tried_last(num_tried: int, said: str) -> None:
    """The pairs before it are all tried, since they have an order."""
    problem = CountdownProblem((7, 7, 2), 50)
    in_order = [Combine(7, operator, 7) for operator in "-+*/"] + [
        Combine(7, operator, 2) for operator in "+-*"
    ]
    understood = FAMILY.understanding(problem, (7, 7, 2), in_order[:num_tried])
    assert understood == f"make 50 with 7 7 2 tried{said}"


def test_moves_are_tried_pair_by_pair_and_the_largest_pair_first() -> None:
    problem = CountdownProblem((3, 9, 5), 50)
    for seed in range(20):
        moves = FAMILY.order(problem, (9, 5, 3), FAMILY.moves(problem, (9, 5, 3)), random.Random(seed))
        pairs = [(move.left, move.right) for move in moves]
        assert pairs == sorted(pairs, reverse=True)


def test_places_are_said_to_be_exhausted_before_they_are_left() -> None:
    """Found in real searches: behind each `all` stands the place that is returned to, with what was tried there."""
    num_left = 0
    for seed in range(30):
        rng = random.Random(seed)
        problem = FAMILY.generate(rng, 4)
        trace = sample_trace(FAMILY, problem, build_dag(FAMILY, problem), rng, remembers=False)
        for step, following in pairwise(trace.steps):
            if step.verdict == "refuted":
                *left, returned_to = step.sections.summary.split(" all ")
                assert all(place.endswith(" end") for place in left)
                assert following.sections.understanding == f"make {problem.target} with {returned_to}"
                num_left += len(left)
    assert num_left > 20
