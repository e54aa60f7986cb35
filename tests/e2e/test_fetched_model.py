"""The model that `steiner fetch` knows, as a user gets it. It is downloaded once, into the cache of the user."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from steiner.cli.fetched_models import MODELS, fetched_folder, is_fetched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smollm2() -> Path:
    command = [sys.executable, "-m", "steiner.cli", "fetch", "smollm2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert "steiner serve smollm2" in done.stdout
    assert is_fetched(MODELS["smollm2"])
    return fetched_folder(MODELS["smollm2"])


def test_it_has_what_a_server_needs(smollm2: Path) -> None:
    assert 260e6 < (smollm2 / "model.safetensors").stat().st_size < 280e6
    assert "Apache License" in (smollm2 / "LICENSE").read_text()
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    assert (len(tokenizer), tokenizer.eos_token) == (49152, "<|im_end|>")
    text = "naïve 日本 12345\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_it_answers_and_ends(smollm2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = AutoModelForCausalLM.from_pretrained(smollm2)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    with torch.inference_mode():
        said = model.generate(**asked, do_sample=False, max_new_tokens=60)[0, asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)
    assert said[-1] == tokenizer.eos_token_id
