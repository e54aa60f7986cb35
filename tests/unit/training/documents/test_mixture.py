"""The share of drills in a stage is a share of its tokens."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steiner.training.documents.mixture import in_shares, mix


def some_lengths(count: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randint(5, 60) for _ in range(count)]


TRACES = some_lengths(200, 1)
DRILLS = some_lengths(30, 2)
LENGTHS = TRACES + DRILLS


def num_tokens(chosen: list[int]) -> int:
    return sum(LENGTHS[number] for number in chosen)


@given(share=st.floats(0.01, 0.95))
def test_drills_make_up_their_share_of_the_tokens(share: float) -> None:
    mixed = mix(TRACES, DRILLS, share, seed=1)
    assert mixed[: len(TRACES)] == list(range(len(TRACES)))
    drills = mixed[len(TRACES) :]
    assert all(len(TRACES) <= drill < len(LENGTHS) for drill in drills)
    longest = max(DRILLS)
    wanted = sum(TRACES) * share / (1 - share)
    assert wanted <= num_tokens(drills) + 1e-6
    assert num_tokens(drills) < wanted + longest


def test_the_ends_of_the_scale() -> None:
    assert mix(TRACES, DRILLS, 0.0, seed=1) == list(range(200))
    assert mix(TRACES, [], 0.0, seed=1) == list(range(200))
    assert mix(TRACES, DRILLS, 1.0, seed=1) == list(range(200, 230))


def test_a_seed_gives_the_same_drills() -> None:
    assert mix(TRACES, DRILLS, 0.3, seed=1) == mix(TRACES, DRILLS, 0.3, seed=1)
    assert mix(TRACES, DRILLS, 0.3, seed=1) != mix(TRACES, DRILLS, 0.3, seed=2)


def test_drills_that_are_not_there_are_an_error() -> None:
    with pytest.raises(ValueError, match="set `drills` under `data`"):
        mix(TRACES, [], 0.3, seed=1)


@given(share=st.floats(0.01, 0.99), num_wanted=st.integers(1, 40_000), seed=st.integers(0, 5))
def test_each_source_gets_its_share_of_the_tokens(share: float, num_wanted: int, seed: int) -> None:
    own, text = list(range(200)), range(200, 230)
    taken = in_shares([own, text], (1 - share, share), LENGTHS, num_wanted, seed)
    for part, part_share in ((own, 1 - share), (text, share)):
        mine = [number for number in taken if number in part]
        assert part_share * num_wanted <= num_tokens(mine) + 1e-6
        assert num_tokens(mine) < part_share * num_wanted + max(LENGTHS)
        # Nothing comes again before all have come.
        counts = [mine.count(number) for number in part]
        assert max(counts) - min(counts) <= 1


def test_a_source_without_documents_has_no_share() -> None:
    with pytest.raises(ValueError, match="has no documents"):
        in_shares([[0, 1], []], (0.5, 0.5), LENGTHS, 100, seed=1)
