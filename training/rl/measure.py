"""A policy on held-out problems: how often it is right, and how it searches."""

import random
from dataclasses import replace
from itertools import cycle

from transformers import PreTrainedTokenizerFast

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import ProblemRecord
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.problems.held_out import held_out_problems
from steiner.training.rl.engine import Sampler
from steiner.training.rl.judge import group_figures, judge
from steiner.training.rl.rollout import sample_rollouts

GENERATED_FOR_EACH = 4
"""Problems made for each one needed, because some have DAGs too large for a rollout."""


def held_out_records(recipe: Recipe, stage: ReinforcementStage, count: int, seed: int) -> list[ProblemRecord]:
    """`count` problems of each family that the stage draws, of its sizes and the recipe's languages in turn, none of
    which any training has seen."""
    sizes = stage.sizes or {name: [s.size for s in data.sizes] for name, data in recipe.data.items()}
    records: list[ProblemRecord] = []
    for name, of_family in sizes.items():
        family, languages = FAMILIES[name], cycle(recipe.languages)
        made = held_out_problems(name, of_family, count * GENERATED_FOR_EACH, seed)
        fitting = [p for p in made if len(build_dag(family, p.problem).nodes) <= stage.max_nodes]
        for number, problem in enumerate(fitting[:count]):
            language = next(languages)
            records.append(
                {
                    "id": f"{name}-held-out-{number}",
                    "family": name,
                    "language": language,
                    "size": problem.size,
                    "split": "held_out",
                    "solvable": problem.solvable,
                    "prompt": replace(problem, language=language).prompt,
                    "problem": family.to_json(problem.problem),
                }
            )
    return records


def measure(
    sampler: Sampler,
    tokenizer: PreTrainedTokenizerFast,
    problems: list[ProblemRecord],
    stage: ReinforcementStage,
    *,
    temperature: float,
    samples: int,
    seed: int,
) -> dict[str, float]:
    """Figures of `samples` searches for each problem by the weights that the sampler has; temperature 0 is greedy."""
    rng = random.Random(f"{seed}/measure/{temperature}")
    groups = sample_rollouts(
        sampler,
        tokenizer,
        STEINER.bind(tokenizer),
        [problem["prompt"] for problem in problems],
        [[rng.getrandbits(31) for _ in range(samples)] for _ in problems],
        temperature,
        stage.max_new_tokens,
    )
    return group_figures(judge(*pair, stage) for pair in zip(problems, groups, strict=True))
