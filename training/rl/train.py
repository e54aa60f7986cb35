"""Reinforcement learning: groups of searches, step-level advantages, one update for each batch of rollouts.

The algorithm is GRPO, run by TRL (docs/decisions/training-loop.md): every batch of rollouts serves exactly one update,
no reference model (beta 0), a constant normaliser instead of each sequence's length and no division by a spread
(Dr. GRPO, arXiv 2503.20783), and an advantage for each token instead of each sequence.
"""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from trl import GRPOConfig

from steiner.reasoning.protocol import BoundProtocol
from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.devices import Devices
from steiner.training.config.recipe import Recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import ProblemRecord
from steiner.training.documents.encode import chat_prompt
from steiner.training.learning.trainer import JsonLinesLog, newest_whole_checkpoint
from steiner.training.model.processes import processes
from steiner.training.model.sharding import device_arguments, recompute_activations
from steiner.training.rl.draw import draw, drawn_problems, most_spread
from steiner.training.rl.engine import RolloutEngine, Sampler
from steiner.training.rl.judge import group_figures, judge
from steiner.training.rl.policy import read_policy, readapted, write_policy, write_weights
from steiner.training.rl.rollout import sample_rollouts
from steiner.training.rl.search_trainer import Scored, SearchTrainer

LONGEST_WAIT_S = 6 * 3600
"""How long the other processes wait for the one that samples. At 32B an update's rollouts take minutes."""


@dataclass(frozen=True, slots=True)
class SearchCollector:
    """Samples and grades one update's searches."""

    sampler: Sampler
    policy_folder: Path
    tokenizer: PreTrainedTokenizerFast
    bound: BoundProtocol
    problems: list[ProblemRecord]
    stage: ReinforcementStage
    seed: int

    def __call__(self, step: int) -> tuple[list[Scored], dict[str, float]]:
        """The rollouts that update `step` learns from, by the newest weights, and figures of all drawn."""
        stage = self.stage
        drawn = draw(self.problems, stage, self.seed, step)
        self.sampler.load(self.policy_folder)
        groups = sample_rollouts(
            self.sampler,
            self.tokenizer,
            self.bound,
            [problem["prompt"] for problem in drawn.problems],
            drawn.seeds,
            stage.temperature,
            stage.max_new_tokens,
        )
        self.sampler.rest()
        judged = [judge(*pair, stage) for pair in zip(drawn.problems, groups, strict=True)]
        kept = most_spread([group.outcomes for group in judged], stage.problems_per_step)
        scored = [
            Scored(
                rollout.token_ids[: rollout.num_prompt_tokens],
                rollout.token_ids[rollout.num_prompt_tokens :],
                rollout.logprobs,
                advantages,
            )
            for index in kept
            for rollout, advantages in zip(
                judged[index].rollouts, judged[index].advantages(stage), strict=True
            )
        ]
        return scored, group_figures(judged)


def reinforce(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    folder: Path,
    sampler: Sampler | None = None,
) -> PreTrainedModel:
    """Improve the model, going on from the newest checkpoint in the folder if there is one.

    Args:
        sampler: what samples; by default an engine on the policy's weights, for as long as the stage lasts.

    Returns:
        The model as it was trained: perhaps sharded, to be saved by all processes together.

    Raises:
        RolloutEngineError: no engine can be started.
        ValueError: the recipe has no rl stage, or too few problems for an update.
    """
    stage = recipe.rl
    if stage is None:
        raise ValueError("The recipe has no rl stage.")
    folder.mkdir(parents=True, exist_ok=True)
    problems = drawn_problems(recipe.output / "data", stage)
    if isinstance(model, PeftModel):
        model = readapted(model, recipe.seed)
    if sampler is not None or not processes().is_main:
        return _train(model, tokenizer, recipe, stage, folder, problems, sampler)
    with closing(start_engine(model, folder / "policy", tokenizer, problems, stage, recipe.seed)) as engine:
        return _train(model, tokenizer, recipe, stage, folder, problems, engine)


def start_engine(
    model: PreTrainedModel,
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    problems: list[ProblemRecord],
    stage: ReinforcementStage,
    seed: int,
) -> RolloutEngine:
    """An engine for the model, with a context that just fits the longest of these problems and a completion.

    Args:
        folder: where the weights are written for it.

    Raises:
        RolloutEngineError: it cannot be started.
    """
    chats = [chat_prompt(problem["prompt"], tokenizer) for problem in problems]
    encoded = tokenizer(chats, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    longest = max(map(len, encoded), default=1)
    write_weights(model, model.state_dict(), folder)
    return RolloutEngine.start(folder, stage.rollouts, longest + stage.max_new_tokens, seed)


def _train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    stage: ReinforcementStage,
    folder: Path,
    problems: list[ProblemRecord],
    sampler: Sampler | None,
) -> PreTrainedModel:
    if not stage.steps:
        return model
    seed = recipe.seed if stage.seed is None else stage.seed
    collector = None
    if sampler is not None:
        bound = STEINER.bind(tokenizer)
        collector = SearchCollector(sampler, folder / "policy", tokenizer, bound, problems, stage, seed)
    if recipe.devices.activation_checkpointing:
        recompute_activations(model)
    # One row for each group: the trainer gives an update its number, and skips what a resumed run has already had.
    steps = [step for step in range(stage.steps) for _ in range(stage.problems_per_step)]
    trainer = SearchTrainer(
        collect=collector,
        policy_folder=folder / "policy",
        model=model,
        processing_class=tokenizer,
        args=_arguments(stage, recipe.devices, folder, seed),
        train_dataset=Dataset.from_dict({"step": steps}),
        callbacks=[JsonLinesLog(folder / "log.jsonl")],
    )
    trainer.train(resume_from_checkpoint=newest_whole_checkpoint(folder))
    if not isinstance(model, PeftModel):
        return trainer.model
    write_policy(trainer.accelerator, trainer.model_wrapped, folder / "policy")
    return read_policy(folder / "policy", model)


def _arguments(stage: ReinforcementStage, devices: Devices, folder: Path, seed: int) -> GRPOConfig:
    passes, beyond = divmod(stage.rollouts_per_step, stage.rollouts_per_pass * processes().count)
    if beyond:
        raise ValueError(
            f"rl.rollouts_per_pass {stage.rollouts_per_pass} in each of {processes().count} processes does "
            f"not divide the {stage.rollouts_per_step} rollouts of an update."
        )
    return GRPOConfig(
        output_dir=str(folder),
        max_steps=stage.steps,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=stage.max_gradient_norm,
        per_device_train_batch_size=stage.rollouts_per_pass,
        gradient_accumulation_steps=passes,
        num_generations=stage.samples_per_problem,
        max_completion_length=stage.max_new_tokens,
        temperature=stage.temperature,
        beta=0.0,
        loss_type="dr_grpo",
        scale_rewards="none",
        shuffle_dataset=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_steps=stage.save_every,
        save_total_limit=2,
        seed=seed,
        report_to=["tensorboard"],
        disable_tqdm=not sys.stderr.isatty(),
        ddp_timeout=LONGEST_WAIT_S,
        **device_arguments(devices),
    )
