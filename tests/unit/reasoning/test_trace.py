"""The tree, the path that lives, and what was concluded."""

from typing import Any

import pytest
from pydantic import ValidationError

from steiner.reasoning.steps import Backtrack, End, Proceed, Section, Step
from steiner.reasoning.trace import Trace


def step(step_id: int, parent: int | None, depth: int | None, decision: Any, **fields: Any) -> Step:
    is_back = isinstance(decision, Backtrack)
    summary = Section(role="summary", name="summary", text=f"so {step_id}", num_tokens=2)
    verdict = "refuted" if is_back else "verified"
    values = {"sections": (summary,), "verdict": verdict, "decision": decision, **fields}
    return Step(id=step_id, parent=parent, depth=depth, **values)


def trace(*steps: Step) -> Trace:
    return Trace(protocol="steiner", steps=steps)


SEARCH = trace(
    step(1, 0, 1, Proceed()),
    step(2, 1, 2, Proceed()),
    step(3, 2, 3, Backtrack(to_depth=1)),
    step(4, 1, 2, Backtrack(to_depth=0)),
    step(5, 0, 1, Proceed()),
    step(6, 5, 2, End()),
)


def ids(steps: tuple[Step, ...]) -> list[int]:
    return [step.id for step in steps]


def test_children() -> None:
    assert ids(SEARCH.children(0)) == [1, 5]
    assert ids(SEARCH.children(1)) == [2, 4]
    assert SEARCH.children(6) == ()
    assert SEARCH.num_backtracks == 2


@pytest.mark.parametrize(
    ("num_steps", "path"), [(0, []), (1, [1]), (2, [1, 2]), (3, [1]), (4, []), (5, [5]), (6, [5, 6])]
)
def test_the_live_path_as_the_search_goes(num_steps: int, path: list[int]) -> None:
    assert ids(trace(*SEARCH.steps[:num_steps]).live_path()) == path


def test_conclusions_are_the_summaries_of_the_live_path() -> None:
    assert SEARCH.conclusions() == ("so 5", "so 6")


def test_a_refuted_last_step_concludes_nothing() -> None:
    ended = trace(step(1, 0, 1, Proceed()), step(2, 1, 2, End(), verdict="refuted"))
    assert ended.conclusions() == ("so 1",)


def test_an_interrupted_step_concludes_nothing() -> None:
    cut = trace(step(1, 0, 1, Proceed()), step(2, 1, 2, None, verdict=None, interrupted=True))
    assert ids(cut.live_path()) == [1, 2]
    assert cut.conclusions() == ("so 1",)


def test_an_unknown_place_has_no_live_path() -> None:
    assert trace(step(1, 0, 1, Backtrack(to_depth=None))).live_path() == ()
    assert trace(step(1, 0, 1, Backtrack(to_depth=None)), step(2, None, None, End())).live_path() == ()


@pytest.mark.parametrize("parent", [1, 2, 7])
def test_parents_that_cannot_be(parent: int) -> None:
    assert trace(step(1, parent, 1, End())).live_path() == ()


def test_json_and_back_without_loss() -> None:
    assert Trace.model_validate_json(SEARCH.model_dump_json()) == SEARCH


def test_a_trace_is_not_to_be_changed() -> None:
    with pytest.raises(ValidationError):
        SEARCH.answer = "22"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Trace.model_validate({"protocol": "steiner", "thoughts": 3})


def test_text_by_role() -> None:
    assert SEARCH.steps[0].text_of("summary") == "so 1"
    assert SEARCH.steps[0].text_of("verification") == ""


def test_a_trace_that_nobody_can_draw_has_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trace, "svg_writer", None)
    assert Trace(protocol="steiner")._repr_svg_() is None
    monkeypatch.setattr(Trace, "svg_writer", staticmethod(lambda trace: f"<svg {trace.protocol}>"))
    assert Trace(protocol="steiner")._repr_svg_() == "<svg steiner>"
