"""A checkpoint is a plain Qwen2 that transformers and vLLM load, and it is there whole or not at all."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
)

from steiner.reasoning.protocols.steiner import STEINER
from steiner.training.model.checkpoint import load_checkpoint, save_checkpoint
from steiner.training.model.wired_qwen2 import build_model
from steiner.training.random_checkpoint import NANO, main, write_random_checkpoint

TEXTS = (
    "make 22 from 15 4 11",
    "roads Rome > Oslo, Oslo > Bern from Rome to Bern",
    f"{STEINER.reasoning_start}{STEINER.step_start}left 4 11{STEINER.step_end}<|im_end|>\n",
    "spelled: été\n\n  200 <0x41>",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "nano"
    write_random_checkpoint(path, seed=3)
    return path


def test_transformers_loads_it_as_a_plain_qwen2(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert type(model) is Qwen2ForCausalLM
    assert model.config.architectures == ["Qwen2ForCausalLM"]
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.float32}


def test_weights_come_back_bit_by_bit(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    written = build_model(NANO, tokenizer, seed=3).state_dict()
    model, _ = load_checkpoint(folder)
    read = model.state_dict()
    assert set(read) == set(written)
    assert all(torch.equal(read[name], tensor) for name, tensor in written.items())


def test_random_weights_have_the_shape_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(tmp_path / "wide"), "--width", "96", "--heads", "3", "--layers", "1"]
    monkeypatch.setattr(sys, "argv", ["random_checkpoint", *arguments])
    main()
    config = AutoModelForCausalLM.from_pretrained(tmp_path / "wide").config
    assert (config.hidden_size, config.num_attention_heads, config.num_hidden_layers) == (96, 3, 1)
    assert config.intermediate_size == NANO.ffn_width


def test_auto_tokenizer_encodes_as_the_one_that_was_saved(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    loaded = AutoTokenizer.from_pretrained(folder)
    assert loaded.is_fast
    assert loaded.get_vocab() == tokenizer.get_vocab()
    for text in TEXTS:
        for split in (False, True):
            ids = loaded.encode(text, add_special_tokens=False, split_special_tokens=split)
            assert ids
            assert ids == tokenizer.encode(text, add_special_tokens=False, split_special_tokens=split)
            assert loaded.decode(ids) == tokenizer.decode(ids)
    assert loaded.chat_template == tokenizer.chat_template
    assert (loaded.eos_token, loaded.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert set(loaded.all_special_ids) == set(tokenizer.all_special_ids)
    assert loaded.model_max_length == NANO.max_positions


def test_vllm_encodes_as_the_one_that_was_saved(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    get_tokenizer = pytest.importorskip("vllm.tokenizers").get_tokenizer
    loaded = get_tokenizer(str(folder))
    assert len(loaded) == len(tokenizer)
    for text in TEXTS:
        ids = loaded.encode(text, add_special_tokens=False)
        assert ids == tokenizer.encode(text, add_special_tokens=False)
        assert loaded.decode(ids) == tokenizer.decode(ids)


def test_a_saved_tokenizer_can_be_loaded_and_saved_again(folder: Path, tmp_path: Path) -> None:
    model, loaded = load_checkpoint(folder)
    save_checkpoint(model, loaded, tmp_path / "next")
    again = AutoTokenizer.from_pretrained(tmp_path / "next")
    assert [again.encode(text) for text in TEXTS] == [loaded.encode(text) for text in TEXTS]
    assert (tmp_path / "next/tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_generation_ends_with_the_turn(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    config = GenerationConfig.from_pretrained(folder)
    assert config.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert config.pad_token_id == tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert (config.do_sample, config.temperature) == (True, 0.1)


def test_what_was_half_written_is_replaced(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    folder = tmp_path / "stage" / "model"
    model = build_model(NANO, tokenizer, seed=3)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tokenizer, "save_pretrained", killed)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(model, tokenizer, folder)
    assert not folder.exists()
    (folder.with_name("model.partial") / "stray").write_text("")
    save_checkpoint(model, tokenizer, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert not (folder / "stray").exists()
    load_checkpoint(folder)


def test_a_checkpoint_replaces_an_older_one(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    for seed in (1, 2):
        save_checkpoint(build_model(NANO, tokenizer, seed), tokenizer, tmp_path / "model")
    loaded: PreTrainedModel = load_checkpoint(tmp_path / "model")[0]
    expected = build_model(NANO, tokenizer, 2).get_input_embeddings().weight
    assert torch.equal(loaded.get_input_embeddings().weight, expected)
