"""The split: by identity, about one in twenty, the same for ever."""

import random

from hypothesis import given
from hypothesis import strategies as st

from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import HELD_OUT_SHARE, is_held_out


@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 2**32), st.randoms())
def test_telling_a_problem_otherwise_keeps_its_side(name: str, seed: int, rng: random.Random) -> None:
    family = FAMILIES[name]
    problem = family.generate(random.Random(seed), 3)
    fields = family.to_json(problem)
    # Everything that a family lists in its problems is a set or a multiset.
    retold = {k: rng.sample(v, len(v)) if isinstance(v, list) else v for k, v in fields.items()}
    other = family.from_json(retold)
    assert is_held_out(family.canonical(problem)) == is_held_out(family.canonical(other))


def test_one_in_twenty_is_held_out() -> None:
    for family in FAMILIES.values():
        identities = {family.canonical(family.generate(random.Random(seed), 4)) for seed in range(4000)}
        share = sum(map(is_held_out, identities)) / len(identities)
        assert 0.7 / HELD_OUT_SHARE < share < 1.3 / HELD_OUT_SHARE


def test_the_split_does_not_move() -> None:
    held_out = [
        f"{a} {b} {c}"
        for a in range(1, 8)
        for b in range(a, 8)
        for c in range(b, 8)
        if is_held_out(f"countdown {a} {b} {c}")
    ]
    assert held_out == ["5 6 6", "6 6 7"]
