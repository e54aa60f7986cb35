"""What foreign models are told is right, and their answers are found."""

import random

import pytest

from steiner.training.evals.chat_endpoint import INSTRUCTIONS, answer_in, instructions_for
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import held_out_problems


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_is_explained_by_an_example_that_is_right(name: str) -> None:
    prompt, answer = INSTRUCTIONS[name].split("Example: ")[1].split(". Answer: ")
    family = FAMILIES[name]
    assert family.check(family.parse(prompt), answer)
    [problem] = held_out_problems(name, (3,), 1, seed=1)
    assert instructions_for(problem.prompt).startswith(INSTRUCTIONS[name])


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize(
    "wrapped", ["{}", "Let me see.\n\n**Answer:** {}", "so\nFinal answer: `{}`\n", "thus\n**{}**\n"]
)
def test_the_last_line_is_the_answer(name: str, wrapped: str) -> None:
    [problem] = held_out_problems(name, (3,), 1, seed=1)
    answer = FAMILIES[name].direct_answer(problem.problem, random.Random(1))
    assert problem.accepts(answer_in(wrapped.format(answer)))
    assert not problem.accepts(answer_in(wrapped.format("no idea")))


def test_an_empty_reply_has_an_empty_answer() -> None:
    assert answer_in(" \n") == ""
