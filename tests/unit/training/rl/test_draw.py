"""Problems, seeds and groups of an update, by its number alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from steiner.training.config.recipe import Recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import DAGS
from steiner.training.data.shards import read_records
from steiner.training.rl.draw import draw, drawn_problems, most_spread

STAGE = ReinforcementStage(steps=2, problems_per_step=3, draws_per_problem=2, samples_per_problem=4)


def test_only_problems_whose_dag_fits_are_drawn(recipe: Recipe) -> None:
    data = recipe.output / "data"
    sizes = {record["id"]: record["num_nodes"] for record in read_records(data, DAGS)}
    middle = sorted(sizes.values())[len(sizes) // 2]
    fitting = drawn_problems(data, STAGE.model_copy(update={"max_nodes": middle}))
    assert {problem["id"] for problem in fitting} == {i for i, num in sizes.items() if num <= middle}


def test_sizes_may_be_asked_for_by_family(recipe: Recipe) -> None:
    data = recipe.output / "data"
    drawn = drawn_problems(data, STAGE.model_copy(update={"sizes": {"routes": [3], "knights": [4]}}))
    assert {(problem["family"], problem["size"]) for problem in drawn} == {("routes", 3)}
    assert all(problem["split"] == "train" for problem in drawn)


def test_an_update_draws_the_same_whatever_was_drawn_before(recipe: Recipe) -> None:
    problems = drawn_problems(recipe.output / "data", STAGE)
    first, second = (draw(problems, STAGE, 7, step) for step in (0, 1))
    assert draw(problems, STAGE, 7, 1) == second
    assert first.seeds != second.seeds
    assert draw(problems, STAGE, 8, 1).seeds != second.seeds
    assert len(second.problems) == 6
    assert [len(of_one) for of_one in second.seeds] == [4] * 6
    assert len({problem["id"] for problem in second.problems}) == 6


def test_too_few_problems_are_refused_with_both_numbers(recipe: Recipe) -> None:
    problems = drawn_problems(recipe.output / "data", STAGE)[:5]
    with pytest.raises(ValueError, match=r"draws 6 problems .* and 5 are there"):
        draw(problems, STAGE, 7, 0)


def test_the_groups_that_differ_most_are_kept_in_the_order_drawn() -> None:
    outcomes = [[1.0, 1.0], [0.0, 1.0], [0.9, 1.0], [-0.5, 1.0], [0.0, 0.0]]
    assert most_spread(outcomes, 2) == [1, 3]
    assert most_spread(outcomes, 4) == [0, 1, 2, 3]


def test_passes_that_do_not_divide_an_update_are_refused(recipe_of: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match=r"rollouts_per_pass 5 does not divide the 12 rollouts"):
        recipe_of(rl={"steps": 1, "problems_per_step": 3, "samples_per_problem": 4, "rollouts_per_pass": 5})


@pytest.mark.parametrize("sizes", [{"routes": [3, 5]}, {"chess": [3, 5]}])
def test_sizes_that_the_data_do_not_have_are_refused(
    recipe_of: Callable[..., Recipe], sizes: dict[str, list[int]]
) -> None:
    with pytest.raises(ValueError, match=r"rl\.sizes\.(routes|chess): .*5\] are not among the sizes"):
        recipe_of(rl={"steps": 1, "sizes": sizes})
