"""Weights as the engine reads them, from plain and from adapted models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from steiner.training.rl.policy import readapted, write_policy, write_weights

NewPolicy = Callable[[], Qwen2ForCausalLM]


def test_a_plain_models_weights_are_written_as_they_are(new_policy: NewPolicy, tmp_path: Path) -> None:
    policy = new_policy()
    write_policy(Accelerator(cpu=True), policy, tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    expected = policy.state_dict()
    # The output layer is tied in the policy, and stands for itself here.
    assert set(written) == set(expected)
    assert all(torch.equal(value, expected[name]) for name, value in written.items())
    assert policy.config.tie_word_embeddings
    assert not Qwen2Config.from_pretrained(tmp_path).tie_word_embeddings


def test_weights_that_lie_in_something_larger_are_written_alone(
    new_policy: NewPolicy, tmp_path: Path
) -> None:
    policy = new_policy()
    padded = {name: torch.cat([value, value])[: len(value)] for name, value in policy.state_dict().items()}
    write_weights(policy, padded, tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(value, padded[name]) for name, value in written.items())


@pytest.mark.parametrize("rslora", [False, True])
def test_adapters_are_merged_as_peft_merges_them(new_policy: NewPolicy, tmp_path: Path, rslora: bool) -> None:
    config = LoraConfig(r=4, lora_alpha=12, use_rslora=rslora, target_modules="all-linear", bias="none")
    adapted = get_peft_model(new_policy(), config)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.1)
    write_policy(Accelerator(cpu=True), adapted, tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    merged = adapted.merge_and_unload().state_dict()
    assert set(written) == set(merged)
    for name, value in written.items():
        torch.testing.assert_close(value, merged[name])
    plain = new_policy().state_dict()
    changed = [name for name in plain if not torch.equal(plain[name], written[name])]
    assert changed
    assert all("_proj.weight" in name for name in changed)


def test_reinforcement_adapts_what_adapters_and_trained_rows_have_made_of_the_base(
    new_policy: NewPolicy,
) -> None:
    rows = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj"], trainable_token_indices=[3, 5])
    adapted = get_peft_model(new_policy(), rows)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.1)
    ids = torch.tensor([[1, 3, 5, 7]])
    with torch.no_grad():
        expected = adapted(ids).logits
        fresh = readapted(adapted, seed=1)
        torch.testing.assert_close(fresh(ids).logits, expected, atol=1e-4, rtol=1e-4)
    trained = {name for name, parameter in fresh.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(".q_proj.lora_" in name for name in trained)
