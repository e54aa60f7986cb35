"""Parameters and bytes from config.json, against a real checkpoint and against sizes that are published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from steiner.plan.model_size import PlanError, read_model

ROOT = Path(__file__).resolve().parents[3]
LARGE = ROOT / "deploy" / "models" / "steiner-32b-preview.json"


def test_the_shipped_weights_are_as_large_as_computed() -> None:
    folder = ROOT / "models" / "steiner-tiny"
    with safe_open(folder / "model.safetensors", "np") as file:
        tensors = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    matrices = sum(shape[0] * shape[1] for shape in tensors if len(shape) == 2)
    model = read_model(folder)
    assert model.parameters == matrices
    assert model.weight_bytes == matrices * 4


def test_32b_is_as_published() -> None:
    model = read_model(LARGE)
    # Qwen2.5-32B: 32.5e9 parameters and 31.0e9 without the embeddings; its safetensors have 65.5e9 bytes.
    assert model.parameters == pytest.approx(32.76e9, rel=1e-3)
    assert model.layers * model.layer_parameters == pytest.approx(31.2e9, rel=1e-2)
    assert model.weight_bytes == pytest.approx(65.5e9, rel=2e-3)
    # 64 layers, 8 heads of 128, key and value, two bytes.
    assert model.kv_bytes(2) == 64 * 8 * 128 * 2 * 2 == 256 * 1024


def test_quantised_layers_keep_their_embeddings() -> None:
    whole, four = read_model(LARGE), read_model(LARGE, "awq")
    ends = 2 * whole.embedding_bytes
    assert four.weight_bytes - ends == pytest.approx((whole.weight_bytes - ends) / 4, rel=0.05)
    # Qwen2.5-32B-Instruct-AWQ has 19.3e9 bytes.
    assert four.weight_bytes == pytest.approx(19.3e9, rel=0.01)
    assert read_model(LARGE, "fp8").layer_bytes == whole.layer_bytes // 2


def test_the_checkpoints_own_quantisation_counts(tmp_path: Path) -> None:
    config = json.loads(LARGE.read_text())
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq", "bits": 4}}))
    assert read_model(tmp_path) == read_model(LARGE, "awq")
    file.write_text(json.dumps(config | {"quantization_config": {"quant_method": "odd"}}))
    with pytest.raises(PlanError, match="'odd'; known are fp8, awq, gptq"):
        read_model(file)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "is no config.json that can be read"),
        ('{"model_type": "mamba"}', "model_type 'mamba'; the arithmetic is that of llama"),
        ('{"model_type": "qwen2"}', "has no hidden_size"),
    ],
)
def test_what_cannot_be_computed_is_refused(content: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(PlanError, match=named):
        read_model(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="nothing is no config"):
        read_model(tmp_path / "nothing")
