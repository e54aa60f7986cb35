"""What our trainer hands to the parent's loss, and that the loss pays each token its advantage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM
from trl import GRPOConfig

from steiner.training.rl.search_trainer import Scored, SearchTrainer, padded, split

LONG = Scored([5, 6, 7], [8, 9, 10, 11], [-1.0, -2.0, -3.0, -4.0], [0.5, 0.5, 1.0, -1.0])
SHORT = Scored([5], [8, 9], [-0.1, -0.2], [-0.5, 0.25])
PAD = 3


def test_prompts_are_padded_on_the_left_and_completions_on_the_right() -> None:
    batch = padded([LONG, SHORT], PAD)
    assert batch["prompt_ids"].tolist() == [[5, 6, 7], [PAD, PAD, 5]]
    assert batch["prompt_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["completion_ids"].tolist() == [[8, 9, 10, 11], [8, 9, PAD, PAD]]
    assert batch["completion_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["advantages"].tolist() == [[0.5, 0.5, 1.0, -1.0], [-0.5, 0.25, 0.0, 0.0]]
    torch.testing.assert_close(batch["old_per_token_logps"][1], torch.tensor([-0.1, -0.2, 0.0, 0.0]))


def test_a_pass_has_no_column_of_padding_alone() -> None:
    long, short = split(padded([LONG, SHORT], PAD), 2)
    assert [told(long), told(short)] == [told(padded([rollout], PAD)) for rollout in (LONG, SHORT)]


def told(batch: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in batch.items()}


@pytest.fixture
def trainer(
    tmp_path: Path, words: PreTrainedTokenizerFast, new_policy: Callable[[], Qwen2ForCausalLM]
) -> SearchTrainer:
    """Two passes of one rollout, in float32."""
    rollouts = [SHORT, LONG]
    return SearchTrainer(
        collect=lambda step: (rollouts, {"seen": float(step)}),
        policy_folder=tmp_path / "policy",
        model=new_policy(),
        processing_class=words,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=2,
            num_generations=2,
            max_completion_length=10,
            beta=0.0,
            loss_type="dr_grpo",
            scale_rewards="none",
            gradient_checkpointing=False,
            shuffle_dataset=False,
            bf16=False,
            use_cpu=True,
            report_to=[],
        ),
        train_dataset=Dataset.from_dict({"step": [7]}),
    )


def inputs_of(trainer: Any) -> list[dict[str, torch.Tensor]]:
    trainer.model.train()
    trainer.model_wrapped = trainer.model
    passes = []
    for number in range(2):
        trainer._step = number
        passes.append(trainer._prepare_inputs([{"step": 7}, {"step": 7}]))
    return passes


def test_the_loss_is_the_clipped_ratio_times_each_tokens_advantage(trainer: Any) -> None:
    passes = inputs_of(trainer)
    # The longest first, and the newest weights are there for the engine.
    assert [int(p["completion_mask"].sum()) for p in passes] == [4, 2]
    assert (trainer._policy_folder / "model.safetensors").is_file()
    assert trainer._metrics["train"]["seen"] == [7.0]
    trainer.current_gradient_accumulation_steps = 2
    for rollout, inputs in zip([LONG, SHORT], passes, strict=True):
        ids = torch.tensor([[*rollout.prompt_ids, *rollout.completion_ids]])
        with torch.no_grad():
            logs = trainer.model(ids).logits[0, len(rollout.prompt_ids) - 1 : -1].log_softmax(-1)
        own = logs.gather(1, torch.tensor(rollout.completion_ids)[:, None])[:, 0]
        ratio = (own - torch.tensor(rollout.logprobs)).exp()
        paid = torch.tensor(rollout.advantages)
        expected = -torch.min(ratio * paid, ratio.clamp(0.8, 1.2) * paid).sum() / 10 / 2
        loss = trainer.compute_loss(trainer.model, inputs)
        torch.testing.assert_close(loss.detach(), expected, rtol=1e-4, atol=1e-5)
