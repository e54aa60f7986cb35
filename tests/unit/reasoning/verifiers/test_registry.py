"""Verifiers by name, and how `auto` chooses."""

import pytest

from steiner.reasoning.errors import SteinerError, UnknownVerifierError
from steiner.reasoning.steps import Section, Step
from steiner.reasoning.tasks import TASKS
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import VERIFIERS, Judgement, find_verifier

NOTHING = Trace(protocol="steiner")


def judge(problem: str, next_step: str) -> Judgement | None:
    section = Section(role="next_step", name="next_step", text=next_step, num_tokens=1)
    return find_verifier("auto").verify(problem, NOTHING, Step(id=1, depth=1, parent=0, sections=(section,)))


def test_each_is_known_by_its_own_name() -> None:
    assert set(VERIFIERS) == {"auto", "arithmetic", *TASKS}
    for name, verifier in VERIFIERS.items():
        assert verifier.name == name
        assert find_verifier(name) is verifier


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownVerifierError) as caught:
        find_verifier("sudoku")
    assert isinstance(caught.value, SteinerError)
    assert "'sudoku'" in str(caught.value)
    assert all(name in str(caught.value) for name in VERIFIERS)


def test_auto_takes_the_family_whose_problem_it_is() -> None:
    assert judge("make 22 from 15 4 11", "15 4 - = 12") == Judgement("refuted", "15 - 4 = 11, not 12")
    assert judge("roads Rome > Oslo from Rome to Oslo", "Oslo") == Judgement(
        "verified", "the goal is reached"
    )
    assert find_verifier("auto").check_answer("make 22 from 15 4 11", "15 - 4 + 11") is True


def test_auto_falls_back_on_arithmetic() -> None:
    assert judge("Make 22 from 15, 4 and 11, please.", "15 - 4 = 12") == Judgement(
        "refuted", "15 - 4 = 11, not 12"
    )
    assert find_verifier("auto").check_answer("What is 15 - 4?", "12") is None
