"""Reinforcement learning: groups of searches, step-level advantages, one update for each batch of rollouts.

The algorithm is GRPO without its ratio: every batch of rollouts serves exactly one update, so policy and sampler are
the same and nothing needs clipping; no reference model (beta 0), a constant normaliser instead of each sequence's
length (Dr. GRPO), and an advantage for each token instead of each sequence.
"""

import json
import random
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config import Recipe, ReinforcementStage
from steiner.training.dags.search import build_dag
from steiner.training.data.kinds import DAGS, PROBLEMS, ProblemRecord
from steiner.training.data.shards import read_records
from steiner.training.encode import chat_prompt
from steiner.training.problems import FAMILIES
from steiner.training.rl.advantage import token_advantages
from steiner.training.rl.figures import rollout_figures
from steiner.training.rl.grade import ProblemGrader, SearchRecord
from steiner.training.rl.rollout import Rollout, sample_rollouts

SAVE_EVERY = 10
UPDATE_TOKENS = 12_000
"""Padded tokens in one backward pass; an update gathers as many passes as its rollouts need."""


def reinforce(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, folder: Path
) -> None:
    """Improve the model in place, on a GPU if there is one, going on from the folder's state file if there is one."""
    stage = recipe.rl
    if stage is None:
        raise ValueError("The recipe has no rl stage.")
    folder.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        model.cuda()
    bound = STEINER.bind(tokenizer)
    data = recipe.output / "data"
    sizes = read_records(data, DAGS, fields=("id", "num_nodes"))
    fitting = {r["id"] for r in sizes if r["num_nodes"] <= stage.max_nodes}
    problems = [r for r in read_records(data, PROBLEMS) if r["id"] in fitting]
    optimizer = torch.optim.AdamW(model.parameters(), lr=stage.learning_rate, weight_decay=0.0, fused=True)
    first = _restore(model, optimizer, folder)
    for step in track(range(first, stage.steps), description="rl", total=stage.steps, completed=first):
        # Seeded by the step, so that a resumed run draws what the uninterrupted one would have drawn.
        rng = random.Random(f"{recipe.seed if stage.seed is None else stage.seed}/rl/{step}")
        torch.manual_seed(rng.getrandbits(63))
        chosen = rng.sample(problems, stage.problems_per_step)
        prompts = [
            tokenizer.encode(chat_prompt(p["prompt"], tokenizer), add_special_tokens=False) for p in chosen
        ]
        groups = sample_rollouts(
            model,
            tokenizer,
            bound,
            prompts,
            stage.samples_per_problem,
            stage.temperature,
            stage.max_new_tokens,
        )
        rollouts, advantages, outcomes, records, right = _judge(chosen, groups, stage)
        norm = _update(model, optimizer, rollouts, advantages, stage, tokenizer.pad_token_id)
        _log(
            folder,
            {"step": step, "gradient_norm": norm, **rollout_figures(rollouts, outcomes, records, right)},
        )
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
            _save(model, optimizer, folder, step + 1)


def _judge(
    chosen: list[ProblemRecord], groups: list[list[Rollout]], stage: ReinforcementStage
) -> tuple[list[Rollout], list[list[float]], list[float], list[SearchRecord], list[bool]]:
    rollouts: list[Rollout] = []
    advantages: list[list[float]] = []
    outcomes: list[float] = []
    records: list[SearchRecord] = []
    right: list[bool] = []
    for described, group in zip(chosen, groups, strict=True):
        family = FAMILIES[described["family"]]
        problem = family.from_json(described["problem"])
        grader = ProblemGrader(family, problem, build_dag(family, problem), stage, described["language"])
        rewards = [grader.outcome(r.answer, len(r.steps), r.well_formed) for r in group]
        graded = [grader.grade(r.steps) for r in group]
        rollouts += group
        advantages += token_advantages(group, rewards, graded, stage.step_weight, stage.outcome_weight)
        outcomes += rewards
        records += graded
        right += [r.well_formed and grader.is_right(r.answer) for r in group]
    return rollouts, advantages, outcomes, records, right


def _update(
    model: Qwen2ForCausalLM,
    optimizer: torch.optim.Optimizer,
    rollouts: list[Rollout],
    advantages: list[list[float]],
    stage: ReinforcementStage,
    pad_id: int,
) -> float:
    """One optimizer step on - sum(A log p) / (rollouts x mean length); returns the gradient norm before clipping."""
    model.train()
    optimizer.zero_grad(set_to_none=True)
    num_learned = sum(len(a) for a in advantages)
    for batch in _passes([len(r.token_ids) for r in rollouts]):
        longest = max(len(rollouts[i].token_ids) for i in batch)
        input_ids = torch.full((len(batch), longest), pad_id)
        weights = torch.zeros(len(batch), longest)
        for row, index in enumerate(batch):
            rollout = rollouts[index]
            input_ids[row, : len(rollout.token_ids)] = torch.tensor(rollout.token_ids)
            weights[row, rollout.num_prompt_tokens : len(rollout.token_ids)] = torch.tensor(advantages[index])
        input_ids, weights = input_ids.to(model.device), weights.to(model.device)
        with torch.autocast(model.device.type, dtype=torch.bfloat16):
            logits = model(input_ids=input_ids[:, :-1], use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float() / stage.temperature, input_ids[:, 1:].flatten(), reduction="none"
        )
        ((losses * weights[:, 1:].flatten()).sum() / num_learned).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), stage.max_gradient_norm)
    optimizer.step()
    return float(norm)


def _passes(lengths: list[int]) -> list[list[int]]:
    passes: list[list[int]] = [[]]
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if passes[-1] and (len(passes[-1]) + 1) * lengths[index] > UPDATE_TOKENS:
            passes.append([])
        passes[-1].append(index)
    return passes


def _log(folder: Path, record: dict[str, Any]) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\n")


def _save(model: Qwen2ForCausalLM, optimizer: torch.optim.Optimizer, folder: Path, step: int) -> None:
    partial = folder / "state.partial"
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, partial)
    partial.replace(folder / "state.pt")


def _restore(model: Qwen2ForCausalLM, optimizer: torch.optim.Optimizer, folder: Path) -> int:
    if not (folder / "state.pt").exists():
        return 0
    state = torch.load(folder / "state.pt", weights_only=True, map_location=model.device)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
