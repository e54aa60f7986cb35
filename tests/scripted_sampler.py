"""A recipe with data and a nano policy, and a sampler that plays searches by the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.recipe import ModelShape, Recipe
from steiner.training.data.kinds import PROBLEMS, ProblemRecord
from steiner.training.data.shards import read_records
from steiner.training.data.writing import write_data
from steiner.training.model.starting_model import tokenizer_of
from steiner.training.model.wired_qwen2 import build_model
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.rl.engine import Completion, SampleRequest
from steiner.training.traces.render import render
from steiner.training.traces.walk import sample_trace

PLAYS = ("right", "wrong", "cut off")


@dataclass
class ScriptedSampler:
    """Plays taught searches, some with a wrong answer and some cut off, by the seed; log-probabilities are those of the
    weights that were loaded."""

    tokenizer: PreTrainedTokenizerFast
    problems: list[ProblemRecord]
    asked: list[list[SampleRequest]] = field(default_factory=list)
    num_loads: int = 0
    is_resting: bool = True
    policy: Qwen2ForCausalLM | None = None

    def load(self, folder: Path) -> None:
        self.policy = Qwen2ForCausalLM.from_pretrained(folder).eval()
        self.num_loads += 1
        self.is_resting = False

    def sample(
        self, requests: Sequence[SampleRequest], temperature: float, max_new_tokens: int, stop_id: int
    ) -> list[Completion]:
        assert not self.is_resting, "no weights were loaded since the last rest"
        self.asked.append(list(requests))
        return [self._completion(request, max_new_tokens) for request in requests]

    def rest(self) -> None:
        self.is_resting = True

    def _completion(self, request: SampleRequest, max_new_tokens: int) -> Completion:
        text = self.tokenizer.decode(request.prompt_ids)
        record = next(p for p in self.problems if f"{p['prompt']}<|im_end|>" in text)
        family = FAMILIES[record["family"]]
        problem = family.from_json(record["problem"])
        trace = sample_trace(family, problem, build_dag(family, problem), random.Random(request.seed))
        play = PLAYS[request.seed % len(PLAYS)]
        rendered = render(trace.told_in(record["language"]))
        turn = rendered.turn if play != "wrong" else rendered.turn.removesuffix(rendered.answer) + "0"
        ids = self.tokenizer.encode(f"{turn}<|im_end|>", add_special_tokens=False)
        ids = ids[: len(ids) // 2 if play == "cut off" else max_new_tokens]
        return Completion(ids, self._logprobs(list(request.prompt_ids), ids))

    @torch.no_grad()
    def _logprobs(self, prompt: list[int], ids: list[int]) -> list[float]:
        assert self.policy is not None
        logs = self.policy(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        return [float(row[token]) for row, token in zip(logs, ids, strict=True)]


RL = {
    "steps": 4,
    "problems_per_step": 3,
    "draws_per_problem": 2,
    "samples_per_problem": 4,
    "rollouts_per_pass": 4,
    "learning_rate": 1e-3,
    "save_every": 2,
}


@pytest.fixture
def recipe(recipe_of: Callable[..., Recipe]) -> Recipe:
    """A recipe with an rl stage whose data are there."""
    family = {"problems": 40, "sizes": [{"size": 3}], "unsolvable": 0.1}
    recipe = recipe_of(rl=RL, data=dict.fromkeys(FAMILIES, family))
    write_data(recipe, workers=1)
    return recipe


@pytest.fixture
def words(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The recipe's tokenizer."""
    return tokenizer_of(recipe)


@pytest.fixture
def new_policy(recipe: Recipe, words: PreTrainedTokenizerFast) -> Callable[[], Qwen2ForCausalLM]:
    """Makes the same untrained policy each time."""
    assert isinstance(recipe.model, ModelShape)
    shape = recipe.model
    return lambda: build_model(shape, words, 1)


@pytest.fixture
def new_sampler(recipe: Recipe, words: PreTrainedTokenizerFast) -> Callable[[], ScriptedSampler]:
    problems = list(read_records(recipe.output / "data", PROBLEMS))
    return lambda: ScriptedSampler(words, problems)
