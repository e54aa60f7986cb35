"""What a drafted token costs, from the size of the model and the batch, and likelihoods that come true."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from steiner.server.engine.speculation.copy_index import (
    NUM_BANDS,
    NUM_PLACES,
    NUM_WAYS,
    STATE_SIZE,
    draft,
    learn,
)
from steiner.server.engine.speculation.drafter import MOST_CERTAIN, _StepCost, num_parameters_of
from steiner.server.engine.speculation.marks import packed

NO_MARKS = packed((), 1000)
SALT = np.uint64(1)


def linear(width_in: int, width_out: int) -> Any:
    """A linear layer with the widths that vLLM's have."""
    layer = torch.nn.Linear(width_in, width_out, bias=False)
    layer.input_size_per_partition, layer.output_size_per_partition = width_in, width_out
    return layer


def test_packed_weights_count() -> None:
    layer = linear(8, 32)
    layer.weight = torch.nn.Parameter(torch.empty(0))
    model = torch.nn.Sequential(torch.nn.Embedding(100, 8), layer, torch.nn.LayerNorm(32))
    assert num_parameters_of(model) == 100 * 8 + 8 * 32 + 2 * 32


def test_weights_that_are_there_count_once() -> None:
    assert num_parameters_of(linear(8, 32)) == 8 * 32


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize("num_parameters", [10**6, 20 * 10**6, 32 * 10**9])
def test_the_more_requests_the_surer_a_draft_must_be(on_cpu: bool, num_parameters: int) -> None:
    cost = _StepCost(on_cpu=on_cpu, num_parameters=num_parameters)
    thresholds = [cost.threshold(num_rows) for num_rows in (1, 8, 64, 256, 1024)]
    assert thresholds == sorted(thresholds)
    assert 0 < thresholds[0] < thresholds[-1] <= MOST_CERTAIN


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_step_pays_by_what_it_promises(on_cpu: bool) -> None:
    cost = _StepCost(on_cpu=on_cpu, num_parameters=20 * 10**6)
    assert not cost.pays(64, 64, 0.0)
    assert cost.pays(1, 4, 4.0)
    paying = [cost.pays(64, 200, expected) for expected in range(0, 201, 10)]
    assert paying == sorted(paying)


def drafted(share: float, threshold: float) -> tuple[int, int, float]:
    """How many tokens are drafted, how many come, and how many were expected.

    The texts are phrases that come back. Each token is the phrase's own with that probability, else any.
    """
    rng = random.Random(5)
    phrases = [[rng.randrange(1000) for _ in range(12)] for _ in range(6)]
    overall = np.zeros((2, NUM_BANDS))
    out, is_marker = np.zeros(8, np.int64), np.zeros(8, np.bool_)
    num_drafted = num_came = 0
    num_expected = 0.0
    for number in range(24):
        rates = np.zeros((2, NUM_WAYS + 1, NUM_PLACES))
        slot = (np.zeros(1 << 13, np.uint64), rates, np.zeros(STATE_SIZE, np.int64))
        whole = [token for _ in range(40) for token in rng.choice(phrases)]
        tokens = np.array([t if rng.random() < share else rng.randrange(1000) for t in whole], np.int32)
        end = 1
        while end < len(tokens) - 9:
            learn(tokens, end, SALT, *slot, NO_MARKS, overall)
            trust = (overall[0] + 5) / (overall[1] + 5)
            count, expected = draft(tokens, end, 8, threshold, trust, SALT, slot, NO_MARKS, out, is_marker)
            came = 0
            while came < count and out[came] == tokens[end + came]:
                came += 1
            # The first texts only teach what a likelihood is worth.
            if number >= 4:
                num_drafted, num_came, num_expected = (
                    num_drafted + count,
                    num_came + came,
                    num_expected + expected,
                )
            end += came + 1
    return num_drafted, num_came, num_expected


@pytest.mark.parametrize(
    ("share", "threshold"), [(0.8, 0.3), (0.8, 0.6), (0.95, 0.3), (0.95, 0.6), (0.95, 0.85), (0.98, 0.85)]
)
def test_as_many_drafted_tokens_come_as_were_expected(share: float, threshold: float) -> None:
    num_drafted, num_came, num_expected = drafted(share, threshold)
    assert num_drafted > 500
    assert num_came == pytest.approx(num_expected, rel=0.1)
    assert num_came > 0.95 * threshold * num_drafted


def test_nothing_is_drafted_where_guesses_seldom_come() -> None:
    assert drafted(0.3, 0.6)[0] < 20
