"""The plan of batches: budget kept, every document once an epoch, the same for a seed."""

import random
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steiner.training.config.recipe import Optimisation
from steiner.training.documents.encode import Document
from steiner.training.documents.token_file import Documents
from steiner.training.learning.batches import IGNORED, Updates, collate, plan_batches, split_batch

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=60)
STAGES = st.builds(
    Optimisation,
    tokens=st.integers(1, 30_000),
    batch_tokens=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    ramp_until=st.floats(0, 1),
)


@given(lengths=LENGTHS, stage=STAGES, seed=st.integers(0, 9))
def test_the_padded_size_stays_within_the_budget(lengths: list[int], stage: Optimisation, seed: int) -> None:
    for batch in plan_batches(lengths, stage, seed).batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        # A document that is longer than the budget makes a batch of its own.
        assert padded <= max(stage.batch_tokens) or len(batch) == 1


@given(lengths=LENGTHS, stage=STAGES, seed=st.integers(0, 9))
def test_the_tokens_are_used_and_hardly_more(lengths: list[int], stage: Optimisation, seed: int) -> None:
    used = sum(lengths[index] for batch in plan_batches(lengths, stage, seed).batches for index in batch)
    assert stage.tokens <= used < stage.tokens + max(lengths)


@given(lengths=LENGTHS, stage=STAGES, seed=st.integers(0, 9))
def test_no_document_comes_again_before_all_have_come(
    lengths: list[int], stage: Optimisation, seed: int
) -> None:
    counts = [0] * len(lengths)
    for batch in plan_batches(lengths, stage, seed).batches:
        for index in batch:
            counts[index] += 1
    assert max(counts) - min(counts) <= 1


@given(lengths=LENGTHS, stage=STAGES, seed=st.integers(0, 9))
def test_a_seed_gives_the_same_plan(lengths: list[int], stage: Optimisation, seed: int) -> None:
    assert plan_batches(lengths, stage, seed) == plan_batches(lengths, stage, seed)


@given(lengths=LENGTHS, stage=STAGES, seed=st.integers(0, 9))
def test_progress_is_the_share_of_the_tokens_before(
    lengths: list[int], stage: Optimisation, seed: int
) -> None:
    plan = plan_batches(lengths, stage, seed)
    used = 0
    for batch, progress in zip(plan.batches, plan.progress, strict=True):
        assert progress == pytest.approx(min(1, used / stage.tokens))
        used += sum(lengths[index] for index in batch)
    assert all(before < after <= 1 or before == after == 1 for before, after in pairwise(plan.progress))


def test_seeds_differ() -> None:
    stage = Optimisation(tokens=5000, batch_tokens=(500, 500))
    assert plan_batches([50] * 200, stage, 1) != plan_batches([50] * 200, stage, 2)


def test_batches_grow_along_the_ramp_and_then_stay() -> None:
    stage = Optimisation(tokens=2_000_000, batch_tokens=(1000, 4000), ramp_until=0.5)
    plan = plan_batches([50] * 1000, stage, 1)
    sizes = [50 * len(batch) for batch in plan.batches]

    def mean(begin: float, end: float) -> float:
        inside = [size for size, at in zip(sizes, plan.progress, strict=True) if begin <= at < end]
        return sum(inside) / len(inside)

    assert sizes[0] == 1000
    assert 900 < mean(0, 0.05) < 1500
    assert 2000 < mean(0.2, 0.3) < 3000
    assert mean(0.6, 1) == pytest.approx(4000, rel=0.03)
    assert max(sizes) == 4000


def test_documents_of_like_length_go_together() -> None:
    rng = random.Random(0)
    lengths = [rng.randint(50, 600) for _ in range(2000)]
    plan = plan_batches(lengths, Optimisation(tokens=400_000, batch_tokens=(3000, 3000)), 1)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in plan.batches)
    used = sum(lengths[i] for batch in plan.batches for i in batch)
    assert padded < 1.1 * used
    # Within the buckets the order is random: the first batches are not the shortest.
    first = [max(lengths[i] for i in batch) for batch in plan.batches[:20]]
    assert first != sorted(first)


BATCHES = st.lists(st.integers(1, 400), min_size=1, max_size=40)


@given(lengths=BATCHES, num_ranks=st.integers(1, 5), micro=st.none() | st.integers(1, 900))
def test_a_split_batch_loses_nothing_and_repeats_nothing(
    lengths: list[int], num_ranks: int, micro: int | None
) -> None:
    passes = split_batch(range(len(lengths)), lengths, num_ranks, micro)
    assert {len(one_pass) for one_pass in passes} == {num_ranks}
    shares = [share for one_pass in passes for share in one_pass]
    assert sorted(index for share in shares for index in share) == list(range(len(lengths)))
    if micro is not None:
        for share in shares:
            padded = len(share) * max((lengths[index] for index in share), default=0)
            assert padded <= micro or len(share) == 1
    # No pass is without work, or there would be one too many.
    assert all(any(one_pass) for one_pass in passes)


@given(lengths=BATCHES, num_ranks=st.integers(1, 5))
def test_without_a_limit_a_batch_is_one_pass(lengths: list[int], num_ranks: int) -> None:
    assert len(split_batch(range(len(lengths)), lengths, num_ranks, None)) == 1


def test_the_ranks_get_about_as_much() -> None:
    rng = random.Random(0)
    lengths = [rng.randint(100, 400) for _ in range(256)]
    (one_pass,) = split_batch(range(256), lengths, 8, None)
    padded = [len(share) * max(lengths[index] for index in share) for share in one_pass]
    assert min(padded) > 0.8 * max(padded)


def test_updates_follow_the_plan_and_know_what_all_ranks_learn() -> None:
    documents = Documents([Document([n] * (n + 2), [False, *[True] * (n + 1)]) for n in range(6)])
    plan = plan_batches(documents.lengths, Optimisation(tokens=50, batch_tokens=(20, 20)), 0)
    ranks = [Updates(plan, documents, 99, rank, 2, micro_batch_tokens=10) for rank in range(2)]
    assert {len(rank) for rank in ranks} == {len(plan.batches)}
    for step, batch in enumerate(plan.batches):
        updates = [rank[step] for rank in ranks]
        assert len({len(update["passes"]) for update in updates}) == 1
        learned = [
            int((one_pass["labels"][:, 1:] != IGNORED).sum())
            for update in updates
            for one_pass in update["passes"]
        ]
        assert {update["num_targets"] for update in updates} == {sum(learned)}
        assert sum(learned) == sum(documents.num_targets[index] for index in batch)


def test_a_rank_without_documents_gets_padding_that_nobody_learns() -> None:
    batch = collate([], pad_id=7)
    assert torch.equal(batch["input_ids"], torch.tensor([[7, 7]]))
    assert torch.equal(batch["labels"], torch.tensor([[IGNORED, IGNORED]]))


def test_collating_pads_on_the_right_and_hides_what_is_not_learned() -> None:
    batch = collate([Document([5, 6, 7], [False, True, True]), Document([8], [True])], pad_id=0)
    assert torch.equal(batch["input_ids"], torch.tensor([[5, 6, 7], [8, 0, 0]]))
    assert torch.equal(batch["labels"], torch.tensor([[IGNORED, 6, 7], [8, IGNORED, IGNORED]]))
