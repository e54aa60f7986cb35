"""Adapters: what is trained, what is saved, and an export that computes what the adapted model computes."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tests.tiny_base import write_base
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.base_checkpoint import BaseCheckpoint, Lora
from steiner.training.model.adapters import is_adapter, with_adapters
from steiner.training.model.checkpoint import export_checkpoint, load_checkpoint, save_checkpoint
from steiner.training.model.from_base import base_model, base_tokenizer

pytestmark = pytest.mark.slow

Adapted = tuple[PeftModel, PreTrainedTokenizerFast]


def base_in(folder: Path) -> BaseCheckpoint:
    return BaseCheckpoint(base=str(folder), max_positions=256, lora=Lora(rank=4))


def adapted(base: BaseCheckpoint) -> Adapted:
    prepared = base_tokenizer(base)
    rows = sorted(prepared.tokenizer.convert_tokens_to_ids(list(prepared.added)))
    assert base.lora is not None
    return with_adapters(base_model(base, prepared), base.lora, rows, seed=1), prepared.tokenizer


def trained_a_little(base: BaseCheckpoint) -> Adapted:
    model, tokenizer = adapted(base)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    text = f"make 22 from 15 4 11{STEINER.reasoning_start}{STEINER.step_start}left{STEINER.step_end}"
    tokens = torch.tensor([tokenizer.encode(text)])
    for _ in range(4):
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tokenizer


@pytest.fixture(params=[False, True], ids=["own head", "tied head"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> BaseCheckpoint:
    return base_in(write_base(tmp_path / "base", tied=request.param))


def logits(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    tokens = torch.tensor(
        [tokenizer.encode(f"roads Rome > Oslo{STEINER.reasoning_start}{STEINER.step_start}")]
    )
    with torch.no_grad():
        computed: torch.Tensor = model(input_ids=tokens).logits.float()
    return computed


def test_adapters_and_the_new_rows_are_trained_and_nothing_else(base: BaseCheckpoint) -> None:
    model, tokenizer = adapted(base)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    after, _ = trained_a_little(base)
    moved = {name for name, p in after.named_parameters() if not torch.equal(p, before[name])}
    assert moved
    assert all(".lora_" in name or "trainable_tokens_delta" in name for name in moved)
    assert any("trainable_tokens_delta" in name for name in moved)
    deltas = [p for name, p in after.named_parameters() if "trainable_tokens_delta" in name]
    assert {tuple(p.shape) for p in deltas} == {(len(STEINER.special_tokens), 32)}
    assert {p.dtype for p in after.parameters() if p.requires_grad} == {torch.float32}
    assert model.dtype == torch.bfloat16
    assert len(tokenizer) <= model.config.vocab_size


def test_a_checkpoint_holds_adapters_and_rows_alone_and_can_be_trained_further(
    base: BaseCheckpoint, tmp_path: Path
) -> None:
    model, tokenizer = trained_a_little(base)
    save_checkpoint(model, tokenizer, tmp_path / "saved")
    assert is_adapter(tmp_path / "saved")
    assert (tmp_path / "saved/adapter_model.safetensors").stat().st_size < 60_000
    loaded, again = load_checkpoint(tmp_path / "saved")
    torch.testing.assert_close(logits(loaded, again), logits(model, tokenizer))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name, p in loaded.named_parameters() if p.requires_grad} == trained
    # A process that gets its shards from another one makes the same of it, without reading weights.
    alone, _ = load_checkpoint(tmp_path / "saved", weights=False)
    described = [(name, p.shape, p.dtype, p.requires_grad) for name, p in loaded.named_parameters()]
    assert [(name, p.shape, p.dtype, p.requires_grad) for name, p in alone.named_parameters()] == described


def test_the_export_computes_what_the_adapted_model_does(base: BaseCheckpoint, tmp_path: Path) -> None:
    model, tokenizer = trained_a_little(base)
    save_checkpoint(model, tokenizer, tmp_path / "saved")
    export_checkpoint(tmp_path / "saved", tmp_path / "export", base)
    assert not is_adapter(tmp_path / "export")
    config = json.loads((tmp_path / "export/config.json").read_text())
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "export")
    assert type(exported) is Qwen2ForCausalLM
    assert exported.dtype == torch.bfloat16
    tied = exported.get_input_embeddings().weight is exported.get_output_embeddings().weight
    assert tied is exported.config.tie_word_embeddings
    difference = (logits(exported, tokenizer) - logits(model, tokenizer)).abs().max()
    untrained = base_model(base, base_tokenizer(base))
    # A bfloat16 has eight bits, and the logits are sums of 32 of them.
    assert difference < 0.07
    assert (logits(untrained, tokenizer) - logits(model, tokenizer)).abs().max() > 5 * difference


def test_the_revision_of_the_base_goes_along(base: BaseCheckpoint, tmp_path: Path) -> None:
    prepared = base_tokenizer(base)
    model = with_adapters(base_model(base, prepared), Lora(rank=4), [], seed=1, revision="abc")
    save_checkpoint(model, prepared.tokenizer, tmp_path / "saved")
    described = json.loads((tmp_path / "saved/adapter_config.json").read_text())
    assert (described["base_model_name_or_path"], described["revision"]) == (base.base, "abc")


def test_adapters_start_from_the_seed(base: BaseCheckpoint) -> None:
    one, two = (dict(adapted(base)[0].named_parameters()) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
