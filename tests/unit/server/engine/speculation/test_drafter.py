"""The drafter over a batch whose requests come, end, change rows and lose tokens."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from steiner.server.engine.base import DRAFT_COUNTS
from steiner.server.engine.speculation.draft_counts import DraftCounts, SharedCounts
from steiner.server.engine.speculation.drafter import ProtocolDrafter
from steiner.server.engine.speculation.marks import CONFIG_KEY

MAX_MODEL_LEN = 512
PHRASE = [11, 12, 13, 14, 15, 16, 17, 18]
TEXT = [*PHRASE, 90, *PHRASE, 91, *PHRASE, 92, *PHRASE, 93]


@pytest.fixture
def counts() -> Iterator[SharedCounts]:
    shared = SharedCounts(1)
    yield shared
    shared.close()


class Batch:
    """What vLLM's model runner tells a drafter of."""

    def __init__(self, counts: SharedCounts, rank: int = 0) -> None:
        own = {"marks": [], "on_cpu": True, "counts": counts.path}
        config: Any = SimpleNamespace(
            additional_config={CONFIG_KEY: own},
            speculative_config=SimpleNamespace(num_speculative_tokens=8),
            model_config=SimpleNamespace(max_model_len=MAX_MODEL_LEN, get_vocab_size=lambda: 1000),
            scheduler_config=SimpleNamespace(max_num_seqs=8),
            parallel_config=SimpleNamespace(data_parallel_rank=0, rank=rank),
        )
        self.drafter = ProtocolDrafter(config)
        self.requests: dict[str, Any] = {}
        self.tokens: dict[str, list[int]] = {}
        self.input_batch = SimpleNamespace(req_ids=[])

    def add(self, request_id: str, **sampling: Any) -> None:
        fields = {"logit_bias": None, "min_p": 0.0, "seed": None} | sampling
        self.requests[request_id] = SimpleNamespace(sampling_params=SimpleNamespace(**fields))
        self.tokens[request_id] = []
        self.input_batch.req_ids.append(request_id)

    def end(self, request_id: str) -> None:
        """As vLLM does: the last row takes the place of the one that is free."""
        rows = self.input_batch.req_ids
        last = rows.pop()
        if last != request_id:
            rows[rows.index(request_id)] = last
        del self.requests[request_id], self.tokens[request_id]

    def step(self, **sampled: list[int]) -> dict[str, list[int]]:
        """One step that samples these tokens."""
        rows = self.input_batch.req_ids
        for request_id, ids in sampled.items():
            self.tokens[request_id] += ids
        padded = np.zeros((len(rows), MAX_MODEL_LEN), np.int32)
        for row, request_id in enumerate(rows):
            padded[row, : len(self.tokens[request_id])] = self.tokens[request_id]
        lengths = np.array([len(self.tokens[request_id]) for request_id in rows], np.int32)
        drafts = self.drafter.propose([sampled.get(one, []) for one in rows], lengths, padded)
        return dict(zip(rows, drafts, strict=True))


def attached(counts: SharedCounts, rank: int = 0) -> Batch:
    batch = Batch(counts, rank)
    batch.drafter.attach(batch)
    return batch


def test_nothing_is_drafted_before_the_runner_is_known(counts: SharedCounts) -> None:
    batch = Batch(counts)
    batch.add("a")
    assert batch.step(a=TEXT) == {"a": []}


def test_each_request_has_its_own_text(counts: SharedCounts) -> None:
    batch = attached(counts)
    other = [token + 500 for token in TEXT]
    for name in ("a", "b"):
        batch.add(name)
    drafts = batch.step(a=[*TEXT, *PHRASE[:4]], b=[*other, *(token + 500 for token in PHRASE[:4])])
    assert drafts["a"][:3] == PHRASE[4:7]
    assert drafts["b"][:3] == [token + 500 for token in PHRASE[4:7]]


def test_a_prompt_that_is_not_done_gets_none(counts: SharedCounts) -> None:
    batch = attached(counts)
    for name in ("a", "b"):
        batch.add(name)
    batch.tokens["b"] += TEXT
    drafts = batch.step(a=[*TEXT, *PHRASE[:4]])
    assert drafts["a"]
    assert drafts["b"] == []
    assert batch.step(a=[PHRASE[4]], b=PHRASE[:4])["b"]


@pytest.mark.parametrize("sampling", [{"logit_bias": {3: 1.0}}, {"min_p": 0.2}])
def test_what_vllm_applies_to_no_draft_gets_none(counts: SharedCounts, sampling: dict[str, Any]) -> None:
    batch = attached(counts)
    batch.add("a", **sampling)
    batch.add("b")
    drafts = batch.step(a=[*TEXT, *PHRASE[:4]], b=[*TEXT, *PHRASE[:4]])
    assert drafts["a"] == []
    assert drafts["b"]


def test_rows_move_and_slots_are_used_again(counts: SharedCounts) -> None:
    batch = attached(counts)
    for name in ("a", "b", "c"):
        batch.add(name)
    batch.step(a=TEXT, b=[token + 300 for token in TEXT], c=[token + 600 for token in TEXT])
    batch.end("a")
    assert batch.input_batch.req_ids == ["c", "b"]
    drafts = batch.step(b=[token + 300 for token in PHRASE[:4]], c=[token + 600 for token in PHRASE[:4]])
    assert drafts["b"][:2] == [token + 300 for token in PHRASE[4:6]]
    assert drafts["c"][:2] == [token + 600 for token in PHRASE[4:6]]
    # The new one gets the slot of the one that ended, and nothing of its text.
    batch.add("d")
    assert batch.step(b=[1], c=[2], d=PHRASE[:4])["d"] == []


def test_with_a_seed_neighbours_make_no_difference(counts: SharedCounts) -> None:
    batch = attached(counts)
    text = [*TEXT, *PHRASE, *TEXT, *reversed(TEXT), *TEXT]
    told: list[list[list[int]]] = []
    for number in range(3):
        name = f"seeded{number}"
        batch.add(name, seed=7)
        neighbours = [f"other{number}{each}" for each in range(3 * number)]
        for neighbour in neighbours:
            batch.add(neighbour)
        told.append([])
        for index, token in enumerate(text):
            others = {one: [(index * 31) % 700 if index % 3 else 5] for one in neighbours}
            told[-1].append(batch.step(**{name: [token]}, **others)[name])
        for one in (name, *neighbours):
            batch.end(one)
    assert told[0] == told[1] == told[2]
    assert sum(map(bool, told[0])) > 10


def test_a_request_that_sits_a_step_out_loses_its_draft(counts: SharedCounts) -> None:
    batch = attached(counts)
    for name in ("a", "b"):
        batch.add(name)
    drafted = batch.step(a=[*TEXT, *PHRASE[:3]], b=[1])["a"]
    assert drafted
    batch.step(b=[2])
    batch.step(a=[*drafted[:1]], b=[3])
    assert counts.read()["accepted_copies"] == 0
    # Taken out of the batch, it comes back as one that was never seen.
    batch.input_batch.req_ids.remove("a")
    batch.step(b=[4])
    batch.input_batch.req_ids.append("a")
    assert batch.step(a=[PHRASE[4]], b=[5])["a"]


def test_no_draft_is_longer_than_the_context(counts: SharedCounts) -> None:
    batch = attached(counts)
    batch.add("a")
    tokens = (TEXT * 20)[: MAX_MODEL_LEN - 8]
    batch.step(a=tokens)
    while len(batch.tokens["a"]) < MAX_MODEL_LEN - 1:
        drafted = batch.step(a=[(TEXT * 20)[len(batch.tokens["a"])]])["a"]
        assert len(batch.tokens["a"]) + len(drafted) < MAX_MODEL_LEN


def test_counts_are_of_what_was_checked(counts: SharedCounts) -> None:
    batch = attached(counts)
    batch.add("a")
    drafted = batch.step(a=[*TEXT, *PHRASE[:3]])["a"]
    assert len(drafted) >= 2
    batch.step(a=[*drafted[:2], 99])
    read = counts.read()
    assert set(read) == set(DRAFT_COUNTS)
    assert (read["steps"], read["tokens"]) == (1, 3)
    assert (read["drafted_copies"], read["accepted_copies"]) == (len(drafted), 2)
    assert (read["drafted_markers"], read["accepted_markers"]) == (0, 0)


def test_other_ranks_count_nothing(counts: SharedCounts) -> None:
    batch = attached(counts, rank=1)
    batch.add("a")
    drafted = batch.step(a=[*TEXT, *PHRASE[:3]])["a"]
    batch.step(a=[*drafted, 99])
    assert drafted
    assert not any(counts.read().values())


def test_copies_of_a_model_are_summed() -> None:
    shared = SharedCounts(2)
    for copy in (0, 1):
        own = DraftCounts(shared.path, copy)
        own.totals[:2] = copy + 1, 4
        assert shared.read()["tokens"] == 4 * copy
        own.write()
    assert (shared.read()["steps"], shared.read()["tokens"]) == (3, 8)
    shared.close()
