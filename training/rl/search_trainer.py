"""TRL's GRPO with rollouts from our engine and an advantage for every token."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from steiner.training.model.sharding import ShardingTrainer
from steiner.training.rl.policy import write_policy

with warnings.catch_warnings():
    # It warns that its own vLLM client does not know this vLLM; rollouts come from our engine.
    warnings.filterwarnings("ignore", "TRL currently supports vLLM", UserWarning)
    from trl import GRPOTrainer

Batch = dict[str, Tensor]
PROMPT_SIDE = ("prompt_ids", "prompt_mask")


@dataclass(frozen=True, slots=True)
class Scored:
    """One rollout as the loss reads it; `logprobs` and `advantages` are of the completion's tokens."""

    prompt_ids: Sequence[int]
    completion_ids: Sequence[int]
    logprobs: Sequence[float]
    advantages: Sequence[float]


Collect = Callable[[int], tuple[list[Scored], dict[str, float]]]
"""From the number of an update to the rollouts it learns from and the figures of all that were sampled."""


class SearchTrainer(ShardingTrainer, GRPOTrainer):
    """A `GRPOTrainer` that differs from its parent in four ways, each for a reason:

    1. Rollouts come from `collect`: our engine, with our seeds and grades that know each step.
    2. Advantages have the shape (B, T): each step is rewarded for itself. The parent's loss accepts that.
    3. The sampler's log-probabilities replace the old ones that the parent recomputes: the ratio then corrects what
       sampler and trainer compute differently, and its clipping bounds it.
    4. Passes hold rollouts of similar length instead of shuffled ones. Their sum is the update, whatever the order, and
       one endless search only pads the others in its pass.
    """

    def __init__(self, *, collect: Collect | None, policy_folder: Path, **kwargs: Any) -> None:
        """`collect` is called only in the main process; the others need none."""
        super().__init__(reward_funcs=_never_called, **kwargs)
        self._collect = collect
        self._policy_folder = policy_folder
        self._passes: list[Batch] = []

    def _prepare_inputs(self, generation_batch: Any) -> Batch:
        number = int(self._step % self.args.steps_per_generation)
        if number == 0 or not self._passes:
            whole = self._generate_and_score_completions(generation_batch)
            self._passes = split(whole, self.args.steps_per_generation)
        return self._passes[number]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        write_policy(self.accelerator, self.model_wrapped, self._policy_folder)
        sent: list[Any] = [None, None]
        if self._collect is not None and self.accelerator.is_main_process:
            sent = list(self._collect(inputs[0]["step"]))
        rollouts, figures = broadcast_object_list(sent)
        for name, value in figures.items():
            self._metrics["train"][name].append(value)
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        by_length = sorted(rollouts, key=lambda r: -len(r.prompt_ids) - len(r.completion_ids))
        batch = padded(by_length[rank::processes], self._tokenizer.pad_token_id)
        return {name: tensor.to(self.accelerator.device) for name, tensor in batch.items()}

    def create_model_card(self, *arguments: Any, **named: Any) -> None:
        """Writes none, because the export has its own card."""


def _never_called(**_: Any) -> list[float]:
    raise AssertionError(
        "Rewards are graded with the rollouts; the parent only wants to have a function for them."
    )


def padded(rollouts: Sequence[Scored], pad_id: int) -> Batch:
    """Rollouts as the parent's loss reads them.

    Returns:
        `prompt_ids` and `prompt_mask` of shape (B, P), padded on the left; `completion_ids`, `completion_mask`,
        `old_per_token_logps` and `advantages` of shape (B, T), padded on the right.
    """
    prompts = [torch.tensor(rollout.prompt_ids) for rollout in rollouts]
    completions = [torch.tensor(rollout.completion_ids) for rollout in rollouts]
    logprobs = [torch.tensor(rollout.logprobs, dtype=torch.float32) for rollout in rollouts]
    advantages = [torch.tensor(rollout.advantages, dtype=torch.float32) for rollout in rollouts]

    def right(rows: Sequence[Tensor], value: float) -> Tensor:
        return pad_sequence(rows, batch_first=True, padding_value=value)

    def left(rows: Sequence[Tensor], value: float) -> Tensor:
        return right([row.flip(0) for row in rows], value).flip(1)

    return {
        "prompt_ids": left(prompts, pad_id),
        "prompt_mask": left([torch.ones_like(ids) for ids in prompts], 0),
        "completion_ids": right(completions, pad_id),
        "completion_mask": right([torch.ones_like(ids) for ids in completions], 0),
        "old_per_token_logps": right(logprobs, 0.0),
        "advantages": right(advantages, 0.0),
    }


def split(batch: Batch, num_passes: int) -> list[Batch]:
    """Equal numbers of rows; each pass drops the columns that hold only padding."""
    passes = []
    for rows in zip(*(tensor.chunk(num_passes) for tensor in batch.values()), strict=True):
        part = dict(zip(batch, rows, strict=True))
        prompt = int(part["prompt_mask"].sum(dim=1).max())
        completion = int(part["completion_mask"].sum(dim=1).max())
        passes.append(
            {
                name: tensor[:, -prompt:] if name in PROMPT_SIDE else tensor[:, :completion]
                for name, tensor in part.items()
            }
        )
    return passes
