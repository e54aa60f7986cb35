"""Majorities, the oracle, and search against sampling at equal tokens."""

import random
from itertools import combinations

import pytest

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.best_of import (
    any_of,
    best_of,
    best_of_report,
    curve,
    equal_n,
    majority_of,
    samples_of,
)


def answers(text: str, prompt: str = "p", tokens: int = 10) -> list[Outcome]:
    """One sample a letter; R is right."""
    return [
        Outcome(
            "routes", 3, prompt, answer=letter, right=letter == "R", completion_tokens=tokens, sampling_seed=k
        )
        for k, letter in enumerate(text)
    ]


@pytest.mark.parametrize("text", ["RRWW", "RWWWW", "WWW", "RRR"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_any_of_n_is_the_mean_over_all_subsets(text: str, n: int) -> None:
    subsets = list(combinations(answers(text), n))
    expected = sum(any(one.right for one in subset) for subset in subsets) / len(subsets)
    assert any_of(answers(text), n) == pytest.approx(expected)


def test_a_majority_outvotes_and_ties_fall_either_way() -> None:
    rng = random.Random(1)
    assert majority_of(answers("RRW"), 3, rng) == 1.0
    assert majority_of(answers("RWWVV"), 5, rng) == 0.0
    assert majority_of(answers("RWV"), 3, rng) == pytest.approx(1 / 3)
    assert majority_of(answers("RW"), 1, rng) == pytest.approx(0.5, abs=0.1)
    assert majority_of(answers("RRRW"), 3, rng) == 1.0


def test_the_curve_rises_with_the_oracle_and_counts_tokens() -> None:
    samples = samples_of(answers("RWWWWW", "a") + answers("RRRRWW", "b"))
    points = curve(samples, [3, 99])
    assert [point["n"] for point in points] == [1, 2, 3, 4, 6]
    assert [point["mean_completion_tokens"] for point in points] == [10, 20, 30, 40, 60]
    anys = [point["any"] for point in points]
    assert anys == sorted(anys)
    assert anys[-1] == 1.0
    assert points[-1]["majority"] == 0.5


def test_more_than_was_sampled_is_refused() -> None:
    with pytest.raises(ValueError, match="one has 2"):
        best_of(samples_of(answers("RRR", "a") + answers("RR", "b")), 3)


def test_at_equal_tokens_the_one_ahead_is_named() -> None:
    prompts = [f"p{k}" for k in range(20)]
    search = [o for p in prompts for o in answers("R", p, tokens=40)]
    weak = [o for p in prompts for o in answers("WWWWWWWR", p)]
    report = best_of_report(search, [o for p in prompts for o in answers("RRW", p, 40)], {"direct": weak})
    routes = report["routes"]
    assert routes["search"]["accuracy"] == 1.0
    equal = routes["equal_tokens"]["direct"]
    assert (equal["n"], equal["tokens_of_samples"]) == (4, 40)
    assert equal["majority"]["ahead"] == equal["any"]["ahead"] == "search"
    assert [point["n"] for point in routes["search, sampled"]] == [1, 2, 3]
    wrong = [o for p in prompts for o in answers("W", p, 20)]
    lucky = best_of_report(wrong, search, {"direct": [o for p in prompts for o in answers("RWRWRWRW", p)]})
    assert lucky["routes"]["equal_tokens"]["direct"]["any"]["ahead"] == "sampling"


def test_there_are_never_more_samples_than_drawn_nor_fewer_than_one() -> None:
    samples = samples_of(answers("RRRR"))
    assert [equal_n(samples, tokens) for tokens in (1, 24, 26, 900)] == [1, 2, 3, 4]
