"""The index of a sequence: it drafts what stood behind the same context, and what the protocol makes certain."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from steiner.reasoning.grammar.certain_tokens import Mark
from steiner.server.engine.speculation.copy_index import (
    NUM_BANDS,
    NUM_PLACES,
    NUM_WAYS,
    PLACE,
    STATE_SIZE,
    VERDICT,
    draft,
    learn,
)
from steiner.server.engine.speculation.marks import packed, plain_marks, read_marks

VOCABULARY = 1000
OPEN, CLOSE, VERIFIED, REFUTED, NEXT, BACK, DIGIT = range(900, 907)
MARKS = (
    Mark((OPEN,), 1, None, ((), (), ())),
    Mark((CLOSE,), 0, None, ((NEXT, OPEN), (NEXT, OPEN), (BACK,))),
    Mark((VERIFIED,), 0, 1, ((), (CLOSE, NEXT, OPEN), ())),
    Mark((REFUTED,), 0, 2, ((), (), (CLOSE, BACK))),
    Mark((BACK, DIGIT), 0, None, ((), (), (OPEN,))),
)
NOTHING = packed((), VOCABULARY)
TRUST = np.ones(NUM_BANDS)


class Sequence:
    """One sequence and its index."""

    def __init__(self, marks: Any = NOTHING, salt: int = 1) -> None:
        self.marks = marks
        self.salt = np.uint64(salt)
        self.slot = (
            np.zeros(1 << 13, np.uint64),
            np.zeros((2, NUM_WAYS + 1, NUM_PLACES)),
            np.zeros(STATE_SIZE, np.int64),
        )
        self.overall = np.zeros((2, NUM_BANDS))

    def learn(self, tokens: list[int], end: int | None = None) -> None:
        learn(np.array(tokens, np.int32), end or len(tokens), self.salt, *self.slot, self.marks, self.overall)

    def draft(
        self, tokens: list[int], limit: int = 8, threshold: float = 0.05
    ) -> tuple[list[int], list[bool]]:
        out, is_marker = np.zeros(limit, np.int64), np.zeros(limit, np.bool_)
        count, expected = draft(
            np.array(tokens, np.int32), len(tokens), limit, threshold, TRUST, self.salt, self.slot, self.marks,
            out, is_marker,
        )  # fmt: skip
        assert 0 <= expected <= count <= limit
        return out[:count].tolist(), is_marker[:count].tolist()


def phrases(seed: int, length: int) -> list[int]:
    rng = random.Random(seed)
    known = [[rng.randrange(900) for _ in range(9)] for _ in range(5)]
    return [token for _ in range(length // 9 + 1) for token in rng.choice(known)][:length]


def test_what_stood_behind_the_same_tokens_is_drafted() -> None:
    told = [7, 8, 9, 10, 11, 12, 13, 14]
    tokens = [*told, 500, *told, 501, *told[:3]]
    sequence = Sequence()
    sequence.learn(tokens)
    drafted, is_marker = sequence.draft(tokens)
    assert drafted[:5] == told[3:8]
    assert not any(is_marker)


def test_without_a_repeat_there_is_nothing_to_copy() -> None:
    sequence, tokens = Sequence(), list(range(100))
    sequence.learn(tokens)
    assert sequence.draft(tokens) == ([], [])
    assert Sequence().draft([1]) == ([], [])


def test_the_latest_continuation_counts() -> None:
    tokens = [*[1, 2, 3, 4, 5, 6, 40] * 3, *[1, 2, 3, 4, 5, 6, 50] * 3, 1, 2, 3, 4, 5, 6]
    sequence = Sequence()
    sequence.learn(tokens)
    assert sequence.draft(tokens, limit=1)[0] == [50]


@pytest.mark.parametrize("marks", [NOTHING, packed(MARKS, VOCABULARY)], ids=["no marks", "marks"])
def test_token_by_token_it_becomes_what_it_is_at_once(marks: Any) -> None:
    rng = random.Random(3)
    tokens = phrases(1, 300)
    for _ in range(60):
        tokens.insert(
            rng.randrange(len(tokens)), rng.choice([OPEN, CLOSE, VERIFIED, REFUTED, NEXT, BACK, DIGIT])
        )
    whole, pieces = Sequence(marks), Sequence(marks)
    whole.learn(tokens)
    end = 0
    while end < len(tokens):
        end = min(end + rng.randrange(1, 5), len(tokens))
        pieces.learn(tokens, end)
        # A draft leaves the index as it was.
        pieces.draft(tokens[:end])
    for mine, other in zip(whole.slot, pieces.slot, strict=True):
        assert np.array_equal(mine, other)
    assert whole.draft(tokens) == pieces.draft(tokens)


def test_a_table_that_was_another_sequences_is_empty() -> None:
    """Entries of another salt are never found, so a slot is used again without clearing its table."""
    tokens = phrases(2, 400)
    used = Sequence(salt=1)
    used.learn(tokens)
    used.salt = np.uint64(2)
    used.slot[1].fill(0)
    used.slot[2].fill(0)
    fresh = Sequence(salt=2)
    for end in range(20, 200, 7):
        used.learn(tokens, end)
        fresh.learn(tokens, end)
        assert used.draft(tokens[:end]) == fresh.draft(tokens[:end])


def test_certain_tokens_come_first_and_are_told_apart() -> None:
    sequence = Sequence(packed(MARKS, VOCABULARY))
    tokens = [OPEN, 1, 2, 3, VERIFIED]
    sequence.learn(tokens)
    assert sequence.slot[2][VERDICT] == 1
    drafted, is_marker = sequence.draft(tokens)
    assert drafted[:3] == [CLOSE, NEXT, OPEN]
    assert is_marker[:3] == [True] * 3
    # Part of the way is gone.
    sequence.learn([*tokens, CLOSE])
    assert sequence.draft([*tokens, CLOSE])[0][:2] == [NEXT, OPEN]
    # The other verdict leads elsewhere.
    other = Sequence(packed(MARKS, VOCABULARY))
    other.learn([OPEN, 1, 2, REFUTED])
    assert other.draft([OPEN, 1, 2, REFUTED])[0] == [CLOSE, BACK]


def test_a_chain_that_is_left_is_forgotten() -> None:
    sequence = Sequence(packed(MARKS, VOCABULARY))
    tokens = [OPEN, 1, VERIFIED, 77]
    sequence.learn(tokens)
    assert not any(sequence.draft(tokens)[1])


def test_a_mark_of_two_tokens_needs_both() -> None:
    sequence = Sequence(packed(MARKS, VOCABULARY))
    sequence.learn([OPEN, 1, REFUTED, CLOSE, BACK, DIGIT])
    assert sequence.draft([OPEN, 1, REFUTED, CLOSE, BACK, DIGIT])[0][:1] == [OPEN]
    alone = Sequence(packed(MARKS, VOCABULARY))
    alone.learn([OPEN, 1, DIGIT])
    assert alone.slot[2][PLACE] == 1
    assert alone.draft([OPEN, 1, DIGIT])[0] == []


def test_a_draft_is_no_longer_than_asked() -> None:
    sequence, tokens = Sequence(), [*range(30), 800, *range(30), 801, 0, 1, 2, 3]
    sequence.learn(tokens)
    assert [len(sequence.draft(tokens, limit)[0]) for limit in (1, 2, 5)] == [1, 2, 5]


def test_marks_pass_through_json() -> None:
    import json

    assert read_marks(json.loads(json.dumps(plain_marks(MARKS)))) == MARKS
