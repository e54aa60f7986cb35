"""Which ids stay in the context behind a backtrack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from steiner.reasoning.folding import FoldingContext
from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner_preview import STEINER_PREVIEW

START = "<step_start>"


def fold(summary: str, depth: int) -> str:
    return f"<step_start><step_summary_start>{summary}<step_summary_end><step_end><backtrack>{depth}"


def folded(context: FoldingContext, ids_of: Any, text: str) -> list[int]:
    """Ids of the context after a text whose every backtrack is folded."""
    for token_id in ids_of(text):
        if token_id in ids_of(START) and context.abandoned_to is not None:
            context.fold()
        context.take((token_id,))
    return context.token_ids


@pytest.fixture
def context(bound: BoundProtocol) -> FoldingContext:
    return FoldingContext(bound)


def test_without_a_backtrack_all_stays(context: FoldingContext, spelling: Any, ids_of: Any) -> None:
    text = spelling.path("<proceed>", "<proceed>")
    assert folded(context, ids_of, text) == ids_of(text)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_hangs_below_the_place_goes(
    depth: int, context: FoldingContext, spelling: Any, ids_of: Any
) -> None:
    path = spelling.path("<proceed>", "<proceed>")
    turning = f"{spelling.step('refuted')}<backtrack>{depth}"
    steps = spelling.path(*["<proceed>"] * depth)
    expected = f"{steps}{fold('left 7', depth)}{START}"
    assert folded(context, ids_of, f"{path}{turning}{START}") == ids_of(expected)


def test_folds_at_places_of_the_live_path_stay(context: FoldingContext, spelling: Any, ids_of: Any) -> None:
    refuted, verified = spelling.step("refuted"), spelling.step()
    text = f"<start>{refuted}<backtrack>0{verified}<proceed>{refuted}<backtrack>1{verified}"
    expected = f"<start>{fold('left 7', 0)}{verified}<proceed>{fold('left 7', 1)}{verified}"
    assert folded(context, ids_of, text) == ids_of(expected)


def test_a_depth_that_may_go_on_is_not_taken_for_a_place(
    context: FoldingContext, spelling: Any, ids_of: Any
) -> None:
    context.take(ids_of(spelling.path("<proceed>")))
    assert context.abandoned_to is None
    context.take(ids_of(f"{spelling.step('refuted')}<backtrack>"))
    assert context.abandoned_to is None
    context.take(ids_of("1"))
    assert context.abandoned_to == 1
    context.take(ids_of("1"))
    assert context.abandoned_to is None
    with pytest.raises(ValueError, match="backtrack"):
        context.fold()


def test_a_place_that_is_not_on_the_live_path_is_none(
    context: FoldingContext, spelling: Any, ids_of: Any
) -> None:
    context.take(ids_of(f"{spelling.path('<proceed>')}{spelling.step('refuted')}<backtrack>5"))
    assert context.abandoned_to is None


def test_a_protocol_that_names_no_depth_cannot_fold(bound: BoundProtocol) -> None:
    with pytest.raises(ValueError, match="steiner-preview"):
        FoldingContext(replace(bound, protocol=STEINER_PREVIEW, depth_ids=()))


def test_a_prompt_that_opens_the_reasoning_is_the_first_place(
    bound: BoundProtocol, spelling: Any, ids_of: Any
) -> None:
    path = spelling.path("<proceed>").removeprefix("<start>")
    text = f"{path}{spelling.step('refuted')}<backtrack>"
    first = spelling.path("<proceed>").removeprefix("<start>")
    opened = FoldingContext(bound, "reasoning")
    assert folded(opened, ids_of, f"{text}1{START}") == ids_of(f"{first}{fold('left 7', 1)}{START}")
    opened = FoldingContext(bound, "reasoning")
    assert folded(opened, ids_of, f"{text}0{START}") == ids_of(f"{fold('left 7', 0)}{START}")


@pytest.mark.parametrize(
    "broken",
    ["<proceed><proceed>", "<start>", "<step_start>", "<step_end>", "<backtrack>9<step_start>"],
)
def test_behind_a_break_between_steps_nothing_is_folded(
    broken: str, context: FoldingContext, spelling: Any, ids_of: Any
) -> None:
    text = f"{spelling.path('<proceed>')}{broken}{spelling.step('refuted')}<backtrack>0{START}"
    assert folded(context, ids_of, text) == ids_of(text)


def test_a_step_without_a_summary_is_not_folded(context: FoldingContext, spelling: Any, ids_of: Any) -> None:
    step = spelling.step("refuted").split("<step_summary_start>")[0] + "<step_end>"
    text = f"{spelling.path('<proceed>')}{step}<backtrack>0{START}"
    assert folded(context, ids_of, text) == ids_of(text)
