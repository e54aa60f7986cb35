"""A policy on held-out problems, by a scripted sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.recipe import Recipe
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.problems.held_out import is_held_out
from steiner.training.rl.measure import held_out_records, measure


def test_held_out_records_are_of_the_stages_sizes_and_fit(recipe: Recipe) -> None:
    assert recipe.rl is not None
    stage = recipe.rl.model_copy(update={"sizes": {"routes": [3], "knights": [3]}, "max_nodes": 30})
    told = recipe.model_copy(update={"languages": {"en": 1.0, "ja": 1.0}})
    records = held_out_records(told, stage, 6, seed=3)
    assert [(r["family"], r["language"]) for r in records] == [
        (family, language) for family in ("routes", "knights") for language in ("en", "ja") * 3
    ]
    for record in records:
        family = FAMILIES[record["family"]]
        problem = family.from_json(record["problem"])
        assert is_held_out(family.canonical(problem))
        assert len(build_dag(family, problem).nodes) <= 30
    assert records == held_out_records(told, stage, 6, seed=3)
    assert len({record["prompt"] for record in records}) == 12


def test_the_figures_are_those_of_every_sample(
    recipe: Recipe,
    words: PreTrainedTokenizerFast,
    new_policy: Callable[[], Qwen2ForCausalLM],
    new_sampler: Callable[[], Any],
) -> None:
    assert recipe.rl is not None
    records = held_out_records(recipe, recipe.rl, 5, seed=3)
    new_policy().save_pretrained(recipe.output / "policy")
    sampler = new_sampler()
    sampler.problems = records
    sampler.load(recipe.output / "policy")
    figures = measure(sampler, words, records, recipe.rl, temperature=1.0, samples=4, seed=1)
    [asked] = sampler.asked
    assert len(asked) == len(records) * 4
    assert figures["accuracy"] == sum(request.seed % 3 == 0 for request in asked) / len(asked)
    assert figures["distinct_states"] > 1
