"""What a prompt leaves the model to write, read off its ids."""

from typing import Any

import pytest

from steiner.reasoning.protocol import Opening, opening_of


@pytest.mark.parametrize(
    ("prompt", "opening"),
    [
        ("", "before"),
        ("left 15", "before"),
        ("left<eot><start>", "reasoning"),
        ("left<eot><start>15", "reasoning"),
        ("left<eot><start><end>15", "answer"),
        # What an earlier turn reasoned says nothing of this one.
        ("<start>left<end>22<eot>left 15", "before"),
        ("<start>left<eot>left 15", "before"),
        ("<start>left<end>22<eot><start>", "reasoning"),
    ],
)
def test_only_the_last_generation_prompt_counts(
    prompt: str, opening: Opening, ids_of: Any, bound: Any
) -> None:
    assert opening_of(bound, ids_of(prompt)) == opening
