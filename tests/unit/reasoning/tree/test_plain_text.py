"""Reasoning as text: what is not known is not said."""

import pytest

from steiner.reasoning.events import Backtracked
from steiner.reasoning.steps import Backtrack, Proceed
from steiner.reasoning.tree.plain_text import ReasoningText
from steiner.server.api.responses.output import decision_text


@pytest.mark.parametrize(("to_depth", "said"), [(None, "[back]"), (0, "[back to depth 0]")])
def test_a_backtrack_says_how_far_where_that_is_known(to_depth: int | None, said: str) -> None:
    text = ReasoningText()
    event = Backtracked(from_step=2, to_depth=to_depth, to_step=to_depth)
    assert text.feed(event) == said
    assert text.feed(event) == f"\n{said}"
    assert decision_text(Backtrack(to_depth=to_depth)) == f"\n{said}"
    assert decision_text(Proceed()) == ""
