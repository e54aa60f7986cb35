"""The stage on a scripted sampler: what an update draws, and a stop that loses and repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.recipe import Recipe
from steiner.training.rl.engine import Completion, SampleRequest
from steiner.training.rl.train import reinforce

pytestmark = pytest.mark.slow

NewPolicy = Callable[[], Qwen2ForCausalLM]
NewSampler = Callable[[], Any]


class Killed(BaseException):
    """As if the process had gone."""


def kill_at(sampler: Any, batch: int) -> Any:
    """The sampler, until it is asked for one more batch."""
    play = sampler.sample

    def until_killed(requests: Sequence[SampleRequest], *arguments: Any) -> list[Completion]:
        if len(sampler.asked) == batch:
            raise Killed
        played: list[Completion] = play(requests, *arguments)
        return played

    sampler.sample = until_killed
    return sampler


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(one: Qwen2ForCausalLM, two: Qwen2ForCausalLM) -> bool:
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def seeds(sampler: Any) -> list[list[int]]:
    return [[request.seed for request in batch] for batch in sampler.asked]


def test_an_update_samples_once_with_the_newest_weights_and_tells_what_it_saw(
    recipe: Recipe, words: PreTrainedTokenizerFast, new_policy: NewPolicy, new_sampler: NewSampler
) -> None:
    policy, sampler, folder = new_policy(), new_sampler(), recipe.output / "rl"
    reinforce(policy, words, recipe, folder, sampler)
    assert not same(policy, new_policy())
    assert sampler.num_loads == len(sampler.asked) == 4
    # 3 problems an update, twice as many drawn, 4 rollouts each, every one with a seed of its own.
    assert [len(batch) for batch in sampler.asked] == [24] * 4
    assert len({seed for batch in seeds(sampler) for seed in batch}) == 96
    updates = [record for record in log_of(folder) if "accuracy" in record]
    assert [record["step"] for record in updates] == [1, 2, 3, 4]
    for record, batch in zip(updates, seeds(sampler), strict=True):
        assert record["accuracy"] == pytest.approx(sum(seed % 3 == 0 for seed in batch) / 24)
        assert record["well_formed"] == pytest.approx(sum(seed % 3 != 2 for seed in batch) / 24)
        assert record["grad_norm"] > 0
        # The trainer's numbers are coarser than the sampler's, and nothing more.
        assert record["clip_ratio/region_mean"] < 0.01
    events = EventAccumulator(str(next(folder.glob("runs/*"))))
    events.Reload()
    shown = events.Scalars("train/accuracy")
    assert [(e.step, e.value) for e in shown] == [(r["step"], pytest.approx(r["accuracy"])) for r in updates]


def test_a_stop_in_between_changes_no_bit_and_logs_nothing_twice(
    recipe: Recipe,
    words: PreTrainedTokenizerFast,
    new_policy: NewPolicy,
    new_sampler: NewSampler,
    tmp_path: Path,
) -> None:
    whole, uninterrupted = new_policy(), new_sampler()
    reinforce(whole, words, recipe, tmp_path / "whole", uninterrupted)
    stopped = kill_at(new_sampler(), 3)
    with pytest.raises(Killed):
        reinforce(new_policy(), words, recipe, tmp_path / "rl", stopped)
    assert seeds(stopped) == seeds(uninterrupted)[:3]
    resumed, sampler = new_policy(), new_sampler()
    reinforce(resumed, words, recipe, tmp_path / "rl", sampler)
    # The third update was not in a checkpoint: it is done again, from the same samples.
    assert seeds(sampler) == seeds(uninterrupted)[2:]
    assert same(resumed, whole)
    timed = {"step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
    logs = [
        [{name: value for name, value in record.items() if name not in timed} for record in log_of(folder)]
        for folder in (tmp_path / "whole", tmp_path / "rl")
    ]
    assert logs[0][:-1] == logs[1][:-1]
    assert [record["step"] for record in logs[1]] == [1, 2, 3, 4, 4]


def test_no_updates_leave_the_policy_as_it_is(
    recipe: Recipe, words: PreTrainedTokenizerFast, new_policy: NewPolicy, new_sampler: NewSampler
) -> None:
    assert recipe.rl is not None
    policy = new_policy()
    idle = recipe.model_copy(update={"rl": recipe.rl.model_copy(update={"steps": 0})})
    reinforce(policy, words, idle, recipe.output / "rl", new_sampler())
    assert same(policy, new_policy())


def test_a_recipe_without_the_stage_is_refused(
    recipe: Recipe, words: PreTrainedTokenizerFast, new_policy: NewPolicy
) -> None:
    with pytest.raises(ValueError, match="no rl stage"):
        reinforce(new_policy(), words, recipe.model_copy(update={"rl": None}), recipe.output / "rl")
