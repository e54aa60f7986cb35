"""Accuracy over the budget: scores, and falls that chance does not explain."""

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.compare import budget_report


def answers(num_right: int, num: int = 40) -> list[Outcome]:
    return [Outcome("routes", 3, f"problem {n}", right=n < num_right) for n in range(num)]


def test_rows_rise_with_the_limit_and_falls_are_named() -> None:
    rows = budget_report({4: answers(30), 1: answers(10), 2: answers(29), 8: answers(20)})
    assert [row["max_steps"] for row in rows] == [1, 2, 4, 8]
    assert [row["routes"]["accuracy"] for row in rows] == [0.25, 0.725, 0.75, 0.5]
    assert "fell" not in rows[0]
    assert [row["fell"] for row in rows[1:]] == [[], [], ["routes"]]


def test_a_fall_within_chance_is_none() -> None:
    assert [row["fell"] for row in budget_report({1: answers(30), 2: answers(28)})[1:]] == [[]]
