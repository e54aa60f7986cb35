"""Rollouts through a real engine, and the stage killed in the middle."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.config.reinforcement import Rollouts
from steiner.training.documents.encode import chat_prompt
from steiner.training.pipeline.stages import stage_model
from steiner.training.random_checkpoint import write_random_checkpoint
from steiner.training.rl.engine import Completion, RolloutEngine, SampleRequest
from steiner.training.rl.policy import write_weights

pytestmark = pytest.mark.e2e

SMOKE = Path(__file__).parents[2] / "training" / "recipes" / "smoke.yaml"
NEW_TOKENS = 40
ROLLOUTS = Rollouts(cpu_cache_gib=0.25, concurrent=16)
PROMPTS = ("make 22 from 15 4 11", "make 24 from 3 8 6")


@pytest.fixture(scope="module")
def tokenizer(random_checkpoint: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(random_checkpoint)


@pytest.fixture(scope="module")
def policies(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of the same shape, as the engine reads them."""
    folder = tmp_path_factory.mktemp("policies")
    write_random_checkpoint(folder / "other", seed=1)
    written = []
    for number, checkpoint in enumerate([random_checkpoint, folder / "other"]):
        policy = Qwen2ForCausalLM.from_pretrained(checkpoint)
        write_weights(policy, policy.state_dict(), folder / str(number))
        written.append(folder / str(number))
    return written


@pytest.fixture(scope="module")
def engine(policies: list[Path]) -> Iterator[RolloutEngine]:
    started = RolloutEngine.start(policies[0], ROLLOUTS, max_model_len=256, seed=0)
    yield started
    started.close()


@pytest.fixture(scope="module")
def requests(tokenizer: PreTrainedTokenizerFast) -> list[SampleRequest]:
    chats = [chat_prompt(prompt, tokenizer) for prompt in PROMPTS]
    prompts = [tokenizer.encode(chat, add_special_tokens=False) for chat in chats]
    return [SampleRequest(prompts[seed // 8], seed) for seed in range(16)]


def sample(
    engine: RolloutEngine,
    requests: list[SampleRequest],
    bound_to: PreTrainedTokenizerFast,
    temperature: float = 1.0,
) -> list[Completion]:
    return engine.sample(requests, temperature, NEW_TOKENS, STEINER.bind(bound_to).end_of_turn_id)


@torch.no_grad()
def logprobs_of(
    folder: Path, request: SampleRequest, completion: Completion, temperature: float
) -> torch.Tensor:
    """By transformers, of the completion's tokens."""
    policy = Qwen2ForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([[*request.prompt_ids, *completion.token_ids]])
    logits = policy(ids).logits[0, len(request.prompt_ids) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_log_probabilities_are_the_policys_own_after_every_change_of_weights(
    engine: RolloutEngine,
    requests: list[SampleRequest],
    tokenizer: PreTrainedTokenizerFast,
    policies: list[Path],
    temperature: float,
) -> None:
    for folder in reversed(policies):
        engine.load(folder)
        completions = sample(engine, requests, tokenizer, temperature)
        for request, completion in zip(requests, completions, strict=True):
            expected = logprobs_of(folder, request, completion, temperature)
            torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=2e-3, rtol=1e-3)


def test_the_same_seeds_give_the_same_rollouts(
    engine: RolloutEngine,
    requests: list[SampleRequest],
    tokenizer: PreTrainedTokenizerFast,
    policies: list[Path],
) -> None:
    engine.load(policies[0])
    first = sample(engine, requests, tokenizer)
    assert len({tuple(completion.token_ids) for completion in first}) == len(requests)
    # Nothing is left of what other weights computed for the same prompts.
    engine.load(policies[1])
    between = sample(engine, requests, tokenizer)
    assert between != first
    engine.load(policies[0])
    assert sample(engine, requests, tokenizer) == first


def test_temperature_zero_is_greedy(
    engine: RolloutEngine,
    requests: list[SampleRequest],
    tokenizer: PreTrainedTokenizerFast,
    policies: list[Path],
) -> None:
    engine.load(policies[0])
    completions = sample(engine, requests[:8], tokenizer, temperature=0.0)
    assert len({tuple(completion.token_ids) for completion in completions}) == 1
    policy = Qwen2ForCausalLM.from_pretrained(policies[0])
    prompt = torch.tensor([list(requests[0].prompt_ids)])
    greedy = policy.generate(prompt, max_new_tokens=NEW_TOKENS, do_sample=False)[0, prompt.shape[1] :]
    assert completions[0].token_ids == greedy.tolist()


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The smoke recipe up to its fine-tuned weights, with an rl stage that checkpoints often."""
    smoke = load_recipe(SMOKE)
    assert smoke.rl is not None
    folder = tmp_path_factory.mktemp("reinforced")
    stage = smoke.rl.model_copy(update={"steps": 6, "save_every": 2, "max_new_tokens": 60})
    recipe = smoke.model_copy(update={"output": folder / "run", "threads": 1, "rl": stage})
    train(recipe.model_copy(update={"rl": None}), folder / "supervised.yaml").wait(timeout=300)
    for later in ("rl", "export"):
        shutil.rmtree(recipe.output / later)
    return recipe


def train(recipe: Recipe, path: Path) -> subprocess.Popen[bytes]:
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    return subprocess.Popen([sys.executable, "-m", "steiner.cli", "train", path])


def updates(recipe: Recipe) -> list[dict[str, Any]]:
    path = recipe.output / "rl" / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    records = [json.loads(line) for line in lines]
    return [{k: v for k, v in r.items() if k != "step_time"} for r in records if "accuracy" in r]


def kill_after(
    num_updates: int, recipe: Recipe, process: subprocess.Popen[bytes], eventually: Callable[..., None]
) -> None:
    """End the process as no program can notice."""
    eventually(lambda: len(updates(recipe)) >= num_updates or process.poll() is not None, 300)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_stage_goes_on_with_the_rollouts_that_it_would_have_had(
    fine_tuned: Recipe, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    weights = []
    for name in ("whole", "killed"):
        recipe = fine_tuned.model_copy(update={"output": tmp_path / name})
        shutil.copytree(fine_tuned.output, recipe.output)
        process = train(recipe, tmp_path / f"{name}.yaml")
        if name == "killed":
            kill_after(3, recipe, process, eventually)
            assert 3 <= len(updates(recipe)) < 6
            process = train(recipe, tmp_path / f"{name}.yaml")
        assert process.wait(timeout=300) == 0
        weights.append(load_file(stage_model(recipe, "rl") / "model.safetensors"))
        assert [record["step"] for record in updates(recipe)] == [1, 2, 3, 4, 5, 6]
    whole, killed = weights
    assert all(torch.equal(killed[tensor], value) for tensor, value in whole.items())
    before = load_file(stage_model(fine_tuned, "sft") / "model.safetensors")
    assert any(not torch.equal(before[tensor], value) for tensor, value in whole.items())
