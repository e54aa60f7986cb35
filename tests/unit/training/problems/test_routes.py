"""Routes: only roads that are there, from the start to the goal."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.reasoning.tasks.routes import PLACES
from steiner.training.problems import MalformedProblemError
from steiner.training.problems.dag import build_dag
from steiner.training.problems.routes import Routes

FAMILY = Routes()
PROBLEM = FAMILY.parse("roads Rome > Oslo, Oslo > Bern, Rome > Lima, Lima > Doha from Rome to Bern")


def test_the_way_is_accepted() -> None:
    assert FAMILY.check(PROBLEM, "Rome Oslo Bern")


@pytest.mark.parametrize(
    "answer",
    [
        "Rome",
        "Bern",
        "Rome Bern",
        "Rome Lima Bern",
        "Rome Oslo",
        "Oslo Bern",
        "Bern Oslo Rome",
        "Rome Oslo Bern Bern",
        "Rome Oslo Bern Rome Oslo Bern",
        "Rome > Oslo > Bern",
        "Rome, Oslo, Bern",
        "rome oslo bern",
        "Rome Paris Bern",
        "Rome Osl\u043e Bern",
        "RomeOsloBern",
    ],
)
def test_anything_else_is_refused(answer: str) -> None:
    assert not FAMILY.check(PROBLEM, answer)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("roads from Rome to Bern", "Write it as"),
        ("roads Rome > Oslo Oslo > Bern from Rome to Bern", "Write it as"),
        ("roads Rome > Oslo from Rome", "Write it as"),
        ("roads Rome > Atlantis from Rome to Oslo", "['Atlantis']"),
        ("roads Rome > Oslo from Rome to rome", "['rome']"),
        ("roads Rome > Oslo from Rome to Rome", "same place"),
    ],
)
def test_a_malformed_problem_is_named(prompt: str, named: str) -> None:
    with pytest.raises(MalformedProblemError) as caught:
        FAMILY.parse(prompt)
    assert named in str(caught.value)


@given(st.integers(0, 2**32), st.integers(2, 5), st.randoms())
def test_the_order_of_telling_changes_nothing_but_the_prompt(
    seed: int, size: int, rng: random.Random
) -> None:
    problem = FAMILY.generate(random.Random(seed), size)
    retold = problem._replace(roads=tuple(rng.sample(problem.roads, len(problem.roads))))
    assert FAMILY.canonical(problem) == FAMILY.canonical(retold)
    assert build_dag(FAMILY, problem).nodes == build_dag(FAMILY, retold).nodes


@given(st.integers(0, 2**32), st.integers(2, 5))
def test_as_many_arms_leave_the_start_as_the_size_says(seed: int, size: int) -> None:
    problem = FAMILY.generate(random.Random(seed), size)
    assert len(problem.successors(problem.start)) == size
    assert {place for road in problem.roads for place in road} <= set(PLACES)
    assert len(set(problem.roads)) == len(problem.roads)
    alive = [
        s
        for s in problem.successors(problem.start)
        if build_dag(FAMILY, problem._replace(start=s)).nodes[0].is_alive
    ]
    assert len(alive) == 1


def test_a_way_is_found_where_roads_lead_in_circles() -> None:
    circle = FAMILY.parse("roads Rome > Oslo, Oslo > Rome, Oslo > Bern from Rome to Bern")
    assert FAMILY.direct_answer(circle, random.Random(0)) == "Rome Oslo Bern"
    with pytest.raises(MalformedProblemError, match="No way leads from Rome to Doha"):
        FAMILY.direct_answer(circle._replace(goal="Doha"), random.Random(0))


def test_the_answer_of_a_way_may_be_any() -> None:
    twoways = FAMILY.parse("roads Rome > Oslo, Oslo > Bern, Rome > Lima, Lima > Bern from Rome to Bern")
    assert FAMILY.check(twoways, "Rome Oslo Bern")
    assert FAMILY.check(twoways, "Rome Lima Bern")


def test_there_are_places_for_the_largest_size() -> None:
    for seed in range(300):
        FAMILY.generate(random.Random(seed), FAMILY.sizes[-1])
