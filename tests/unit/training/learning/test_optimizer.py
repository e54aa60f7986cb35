"""Muon and AdamW as one optimizer: each parameter in one of them, one learning rate, a state that restores."""

import copy

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.learning.optimizer import MuonWithAdamW, split_parameters
from steiner.training.model.wired_qwen2 import build_model
from steiner.training.random_checkpoint import NANO

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    return build_model(NANO, tokenizer, seed=0)


def train(model: Qwen2ForCausalLM, optimizer: MuonWithAdamW, steps: range) -> None:
    for step in steps:
        tokens = torch.randint(500, (2, 16), generator=torch.Generator().manual_seed(step))
        model(tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test_every_parameter_has_one_optimizer(model: Qwen2ForCausalLM) -> None:
    matrices, others = split_parameters(model)
    ids = [id(parameter) for parameter in [*matrices, *others]]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {id(parameter) for parameter in model.parameters()}
    assert all(matrix.ndim == 2 for matrix in matrices)
    assert any(model.get_input_embeddings().weight is other for other in others)
    assert len(matrices) == 7 * NANO.layers


def test_the_learning_rate_of_the_groups_reaches_both(model: Qwen2ForCausalLM) -> None:
    optimizer = MuonWithAdamW(model, learning_rate=0.01, weight_decay=0.1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    train(model, optimizer, range(1))
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    train(model, optimizer, range(1))
    unchanged = [torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
    assert not any(unchanged)


def test_weight_decay_acts_on_the_matrices_alone(model: Qwen2ForCausalLM) -> None:
    optimizer = MuonWithAdamW(model, learning_rate=0.1, weight_decay=0.5)
    matrices, others = split_parameters(model)
    before = [[tensor.detach().clone() for tensor in group] for group in (matrices, others)]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for old, new in zip(before[0], matrices, strict=True):
        torch.testing.assert_close(new.detach(), old * (1 - 0.1 * 0.5))
    assert all(torch.equal(old, new) for old, new in zip(before[1], others, strict=True))


def test_its_state_restores_to_the_bit(tokenizer: PreTrainedTokenizerFast, model: Qwen2ForCausalLM) -> None:
    optimizer = MuonWithAdamW(model, 0.01, 0.1)
    train(model, optimizer, range(3))
    restored = build_model(NANO, tokenizer, seed=9)
    restored.load_state_dict(model.state_dict())
    other = MuonWithAdamW(restored, 0.5, 0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [group["lr"] for group in other.param_groups] == [0.01, 0.01]
    train(model, optimizer, range(3, 5))
    train(restored, other, range(3, 5))
    pairs = zip(model.parameters(), restored.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_closures_are_refused(model: Qwen2ForCausalLM) -> None:
    with pytest.raises(TypeError, match="takes no closure"):
        MuonWithAdamW(model, 0.01, 0.1).step(lambda: 0.0)
