"""The share of drills in a stage is a share of its tokens."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.training.encode import Document
from steiner.training.mixture import mix


def documents(count: int, first: int, seed: int) -> list[Document]:
    rng = random.Random(seed)
    return [Document([first + n] * (length := rng.randint(5, 60)), [True] * length) for n in range(count)]


TRACES = documents(200, 0, 1)
DRILLS = documents(30, 1000, 2)


def num_tokens(chosen: list[Document]) -> int:
    return sum(len(document.token_ids) for document in chosen)


@given(share=st.floats(0.01, 0.95))
def test_drills_make_up_their_share_of_the_tokens(share: float) -> None:
    mixed = mix(TRACES, DRILLS, share, seed=1)
    assert mixed[: len(TRACES)] == TRACES
    drills = mixed[len(TRACES) :]
    assert all(drill in DRILLS for drill in drills)
    longest = max(len(drill.token_ids) for drill in DRILLS)
    wanted = num_tokens(TRACES) * share / (1 - share)
    assert wanted <= num_tokens(drills) + 1e-6
    assert num_tokens(drills) < wanted + longest


def test_the_ends_of_the_scale() -> None:
    assert mix(TRACES, DRILLS, 0.0, seed=1) == TRACES
    assert mix(TRACES, [], 0.0, seed=1) == TRACES
    assert mix(TRACES, DRILLS, 1.0, seed=1) == DRILLS


def test_a_seed_gives_the_same_drills() -> None:
    assert mix(TRACES, DRILLS, 0.3, seed=1) == mix(TRACES, DRILLS, 0.3, seed=1)
    assert mix(TRACES, DRILLS, 0.3, seed=1) != mix(TRACES, DRILLS, 0.3, seed=2)


def test_drills_that_are_not_there_are_an_error() -> None:
    with pytest.raises(ValueError, match="set `drills` under `data`"):
        mix(TRACES, [], 0.3, seed=1)
