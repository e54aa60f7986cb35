"""Paired tests: textbook values, and what two sides must have in common."""

import random

import pytest

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.compare import UnpairedError, compare, paired


def outcomes(family: str, right: list[bool], seed: int | None = None) -> list[Outcome]:
    return [
        Outcome(family, 3, f"problem {number}", right=one, sampling_seed=seed)
        for number, one in enumerate(right)
    ]


def test_one_answer_each_is_mcnemars_exact_test() -> None:
    # 10 against 2 discordant pairs: two-sided binomial p = 2 * (1 + 12 + 66) / 4096.
    first = [1.0] * 10 + [0.0] * 2 + [1.0] * 20
    second = [0.0] * 10 + [1.0] * 2 + [1.0] * 20
    test = paired(first, second)
    assert test.test == "exact McNemar"
    assert test.p_value == pytest.approx(158 / 4096)
    assert (test.only_first, test.only_second) == (10, 2)
    assert test.difference == pytest.approx(8 / 32)
    assert 0 < test.difference_low < test.difference < test.difference_high


def test_no_difference_is_none() -> None:
    test = paired([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (test.difference, test.p_value) == (0.0, 1.0)
    assert (test.difference_low, test.difference_high) == (0.0, 0.0)


def test_several_samples_are_tested_problem_by_problem() -> None:
    rng = random.Random(1)
    first = [rng.choice((2 / 3, 1.0)) for _ in range(60)]
    second = [rng.choice((0.0, 1 / 3)) for _ in range(60)]
    better, level = paired(first, second), paired(first, first[1:] + first[:1])
    assert better.test == "sign-flip permutation"
    assert better.p_value < 0.001
    assert level.p_value > 0.05
    assert level.difference_low < 0 < level.difference_high
    assert better == paired(first, second)


def test_families_and_all_are_told_apart() -> None:
    first = outcomes("routes", [True] * 8) + outcomes("knights", [True, False])
    second = outcomes("routes", [False] * 8) + outcomes("knights", [False, True])
    tests = compare(first, second)
    assert list(tests) == ["routes", "knights", "all"]
    assert tests["routes"].p_value == pytest.approx(2 / 256)
    assert tests["knights"].p_value == 1.0
    assert tests["all"].num_problems == 10


def test_samples_of_a_seed_are_averaged_over_each_problem() -> None:
    first = outcomes("routes", [True, True], 1) + outcomes("routes", [True, False], 2)
    second = outcomes("routes", [False, False])
    test = compare(first, second)["routes"]
    assert (test.num_problems, test.first, test.only_first) == (2, 0.75, 2)


def test_other_problems_cannot_be_compared() -> None:
    with pytest.raises(UnpairedError, match="2 of the first's 3"):
        compare(outcomes("routes", [True] * 3), outcomes("routes", [True]))
    with pytest.raises(UnpairedError):
        compare([], [])
