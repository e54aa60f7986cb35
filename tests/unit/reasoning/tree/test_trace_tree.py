"""What hangs under what in a trace, where a backtrack led, and what stays unknown."""

from typing import Any

from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import ANSWER, PROBLEM, tree_of


def step(step_id: int, parent: int | None, decision: Any, verdict: Any = None, **fields: Any) -> Step:
    return Step(id=step_id, parent=parent, depth=None, decision=decision, verdict=verdict, **fields)


def back(to_depth: int | None) -> Backtrack:
    return Backtrack(to_depth=to_depth)


def test_a_search() -> None:
    steps = (
        step(1, 0, Proceed(), "verified"),
        step(2, 1, Proceed(), "verified"),
        step(3, 2, back(1), "refuted"),
        step(4, 1, back(0), "refuted"),
        step(5, 0, End(), "verified"),
    )
    tree = tree_of(Trace(protocol="steiner", steps=steps, answer="22"))
    assert tree.parents == {PROBLEM: None, 1: 0, 2: 1, 3: 2, 4: 1, 5: 0, ANSWER: 5}
    assert tree.live == {PROBLEM, 5, ANSWER}
    assert tree.destinations == {3: 1, 4: PROBLEM}
    assert tree.lost == set()


def test_what_the_protocol_leaves_unknown_is_not_guessed() -> None:
    steps = (
        step(1, 0, Proceed()),
        step(2, 1, back(None)),
        step(3, None, Proceed()),
        step(4, 3, back(0)),
        step(5, None, End()),
    )
    tree = tree_of(Trace(protocol="steiner-preview", steps=steps, answer="22"))
    assert tree.parents == {PROBLEM: None, 1: 0, 2: 1, 3: None, 4: 3, 5: None, ANSWER: 5}
    assert tree.live == {PROBLEM, ANSWER}
    assert tree.destinations == {}
    assert tree.lost == {2, 4}


def test_where_the_answer_hangs_when_the_search_did_not_end_in_a_step() -> None:
    def tip(*steps: Step) -> int | None:
        return tree_of(Trace(protocol="steiner", steps=steps, answer="22")).parents[ANSWER]

    kept = step(1, 0, Proceed(), "verified")
    assert tip() == PROBLEM
    assert tip(kept, step(2, 1, End(), "refuted")) == 1
    assert tip(step(1, 0, End(), "refuted")) == PROBLEM
    assert tip(kept, step(2, 1, back(0), "refuted")) == PROBLEM
    assert tip(kept, step(2, 1, back(None))) is None


def test_no_answer_is_no_node() -> None:
    assert tree_of(Trace(protocol="steiner")).parents == {PROBLEM: None}


def test_parents_that_cannot_be_are_unknown() -> None:
    tree = tree_of(Trace(protocol="steiner", steps=(step(1, 2, Proceed()), step(2, 9, back(5)))))
    assert tree.parents == {PROBLEM: None, 1: None, 2: None}
    assert tree.lost == {2}
