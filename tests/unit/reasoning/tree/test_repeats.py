"""What counts as walking in circles."""

from typing import Any

import pytest

from steiner.reasoning.steps import Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import find_repeat, num_trailing_repeats


def step(number: int, parent: int | None, next_step: str, understanding: str = "", **fields: Any) -> Step:
    sections = (
        Section(role="understanding", name="understanding", text=understanding, num_tokens=1),
        Section(role="next_step", name="next_step", text=next_step, num_tokens=1),
    )
    return Step(id=number, depth=None, parent=parent, sections=sections, **fields)


def tree(*steps: Step) -> Trace:
    return Trace(protocol="steiner", steps=steps)


@pytest.mark.parametrize(
    ("said", "repeats"),
    [("add 1", 2), ("Add  1\n", 2), ("add 2", None), ("", None), ("add", None)],
)
def test_siblings_repeat_each_other_by_their_next_step(said: str, repeats: int | None) -> None:
    earlier = tree(step(1, 0, "start"), step(2, 1, "add 1"), step(3, 2, "add 2"))
    found = find_repeat(earlier, step(4, 1, said))
    assert (None if found is None else found.id) == repeats


@pytest.mark.parametrize(
    ("understanding", "repeats"), [("at A", 1), ("AT  a", 1), ("at B", 2), ("at C", None), ("", None)]
)
def test_an_ancestor_is_repeated_by_its_understanding(understanding: str, repeats: int | None) -> None:
    earlier = tree(step(1, 0, "x", "at A"), step(2, 1, "y", "at B"), step(3, 1, "z", "at C"))
    found = find_repeat(earlier, step(4, 2, "new", understanding))
    assert (None if found is None else found.id) == repeats


def test_a_step_whose_parent_is_unknown_repeats_nothing() -> None:
    earlier = tree(step(1, 0, "x", "at A"), step(2, None, "x", "at A"))
    assert find_repeat(earlier, step(3, None, "x", "at A")) is None


@pytest.mark.parametrize(("marks", "count"), [("", 0), ("-", 0), ("-r", 1), ("r-rr", 2), ("rr-", 0)])
def test_repeats_in_a_row_are_counted_from_the_end(marks: str, count: int) -> None:
    steps = (step(i, 0, "x", repeats=1 if mark == "r" else None) for i, mark in enumerate(marks, 2))
    assert num_trailing_repeats(tree(*steps)) == count
