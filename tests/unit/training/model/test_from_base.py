"""A base gets the protocol's tokens, and rows for them that mean what their descriptions say."""

from pathlib import Path

import pytest
import torch
from tests.tiny_base import ROWS, write_base
from transformers import AutoTokenizer, LlamaConfig, Qwen2ForCausalLM

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.documents.encode import chat_prompt
from steiner.training.model.checkpoint import load_checkpoint, save_checkpoint
from steiner.training.model.from_base import (
    DESCRIPTIONS,
    BaseError,
    base_config,
    base_model,
    base_tokenizer,
    shape_alone,
)
from steiner.training.model.tokenizer import special_tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def base(folder: Path) -> BaseCheckpoint:
    return BaseCheckpoint(base=str(folder), max_positions=1024)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_every_token_is_described() -> None:
    assert set(DESCRIPTIONS) == set(special_tokens())
    assert len(set(DESCRIPTIONS.values())) == len(DESCRIPTIONS)


def test_the_tokenizer_learns_the_protocol_and_keeps_what_it_knew(base: BaseCheckpoint, folder: Path) -> None:
    before = AutoTokenizer.from_pretrained(folder)
    prepared = base_tokenizer(base)
    assert prepared.added == STEINER.special_tokens
    assert len(prepared.tokenizer) == len(before) + len(STEINER.special_tokens)
    for text in ("make 22 from 15 4 11", "<|im_start|>user\nété<|im_end|>\n"):
        assert prepared.tokenizer.encode(text) == before.encode(text)
    bound = STEINER.bind(prepared.tokenizer)
    assert bound.reasoning_start_id == len(before)
    assert bound.end_of_turn_id == prepared.tokenizer.eos_token_id
    assert set(prepared.tokenizer.convert_tokens_to_ids(special_tokens())) <= bound.special_ids
    prompt = chat_prompt("make 22 from 15 4 11", prepared.tokenizer)
    assert prompt == "<|im_start|>user\nmake 22 from 15 4 11<|im_end|>\n<|im_start|>assistant\n"


def test_a_base_that_knows_the_tokens_keeps_its_rows(base: BaseCheckpoint, tmp_path: Path) -> None:
    prepared = base_tokenizer(base)
    model = base_model(base, prepared)
    row = prepared.tokenizer.convert_tokens_to_ids(STEINER.proceed)
    with torch.no_grad():
        model.get_input_embeddings().weight[row] = 7.0
    save_checkpoint(model, prepared.tokenizer, tmp_path / "next")
    later = BaseCheckpoint(base=str(tmp_path / "next"), max_positions=1024)
    assert base_tokenizer(later).added == ()
    assert (base_model(later, base_tokenizer(later)).get_input_embeddings().weight[row] == 7.0).all()


@pytest.mark.parametrize("tied", [False, True])
def test_new_rows_are_the_mean_of_their_descriptions(tmp_path: Path, tied: bool) -> None:
    base = BaseCheckpoint(base=str(write_base(tmp_path, tied=tied)), max_positions=1024)
    prepared = base_tokenizer(base)
    tokenizer = prepared.tokenizer
    before = Qwen2ForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    model = base_model(base, prepared)
    assert model.dtype == torch.float32
    new = tokenizer.convert_tokens_to_ids(list(STEINER.special_tokens))
    old = [row for row in range(ROWS) if row not in new]
    for read in (Qwen2ForCausalLM.get_input_embeddings, Qwen2ForCausalLM.get_output_embeddings):
        rows, rows_before = read(model).weight, read(before).weight
        assert torch.equal(rows[old], rows_before[old])
        for token, row in zip(STEINER.special_tokens, new, strict=True):
            words = tokenizer.encode(f" {DESCRIPTIONS[token]}", add_special_tokens=False)
            torch.testing.assert_close(rows[row], rows_before[words].mean(dim=0))
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) is tied


def test_a_base_without_spare_rows_grows(tmp_path: Path) -> None:
    rows = len(AutoTokenizer.from_pretrained(write_base(tmp_path)))
    base = BaseCheckpoint(base=str(write_base(tmp_path, rows=rows)), max_positions=1024)
    prepared = base_tokenizer(base)
    model = base_model(base, prepared)
    assert model.config.vocab_size == model.get_output_embeddings().weight.shape[0] == 448
    row = prepared.tokenizer.convert_tokens_to_ids(STEINER.refuted)
    words = prepared.tokenizer.encode(f" {DESCRIPTIONS[STEINER.refuted or '']}", add_special_tokens=False)
    for weight in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
        torch.testing.assert_close(weight[row], weight[words].mean(dim=0))
    # What gets its weights from another process has the same shape.
    alone = base_model(base, prepared, weights=False)
    assert [p.shape for p in alone.parameters()] == [p.shape for p in model.parameters()]


def test_the_tokenizer_comes_back_from_a_checkpoint(base: BaseCheckpoint, tmp_path: Path) -> None:
    prepared = base_tokenizer(base)
    save_checkpoint(base_model(base, prepared), prepared.tokenizer, tmp_path / "saved")
    _, loaded = load_checkpoint(tmp_path / "saved")
    assert loaded.get_vocab() == prepared.tokenizer.get_vocab()
    assert (loaded.eos_token, loaded.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert loaded.model_max_length == 1024
    text = f"{chat_prompt('make 22', loaded)}{STEINER.reasoning_start}été<|im_end|>"
    assert loaded.encode(text) == prepared.tokenizer.encode(text)
    assert chat_prompt("make 22", loaded) == chat_prompt("make 22", prepared.tokenizer)


def test_a_shape_alone_has_every_buffer_and_tie(base: BaseCheckpoint) -> None:
    config = base_config(base)
    config.tie_word_embeddings = True
    model = shape_alone(config, torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    whole = Qwen2ForCausalLM(config)
    assert all(
        torch.equal(alone, buffer) for alone, buffer in zip(model.buffers(), whole.buffers(), strict=True)
    )


def test_numbers_that_the_base_contradicts_are_refused(folder: Path) -> None:
    wrong = BaseCheckpoint(base=str(folder), max_positions=1024, config={"hidden_size": 31})
    with pytest.raises(
        BaseError, match=r"model\.config\.hidden_size is 31, but .* has 32: correct the recipe"
    ):
        base_config(wrong)
    right = BaseCheckpoint(base=str(folder), max_positions=1024, config={"hidden_size": 32})
    assert base_config(right).hidden_size == 32


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    LlamaConfig(hidden_size=32).save_pretrained(tmp_path)
    with pytest.raises(BaseError, match="is of type llama; only qwen2"):
        base_config(BaseCheckpoint(base=str(tmp_path), max_positions=1024))


def test_a_base_out_of_reach_is_told_with_what_to_do() -> None:
    missing = BaseCheckpoint(base="nobody/nothing", max_positions=1024)
    for read in (base_config, base_tokenizer):
        with pytest.raises(BaseError, match=r"'nobody/nothing' is no folder .* `hf download nobody/nothing`"):
            read(missing)
