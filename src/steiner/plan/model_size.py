"""What a checkpoint's config.json says about its size: parameters, bytes of weights, bytes of KV cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steiner.reasoning.errors import SteinerError

#: Decoders whose layers are attention (q, k, v, o) and a gated feed-forward of three matrices.
DENSE = frozenset({"llama", "mistral", "qwen2", "qwen3"})
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
#: For formats that store one scale of 16 bits and one zero of `bits` for so many weights.
GROUP = 128
BITS = {"fp8": 8, "awq": 4, "gptq": 4}


class PlanError(SteinerError):
    """The plan cannot be computed, or the model does not fit; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A dense decoder.

    Attributes:
        layer_parameters: of the matrices of one layer, which quantisation makes smaller.
        embedding_parameters: of the table of tokens; the output has as many again unless the two are tied.
        width: bytes of a number that is not quantised.
        bits: of a quantised number in a layer; None if nothing is quantised.
    """

    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    layer_parameters: int
    embedding_parameters: int
    is_tied: bool
    width: int
    bits: int | None

    @property
    def parameters(self) -> int:
        """All of them."""
        ends = self.embedding_parameters * (1 if self.is_tied else 2)
        return self.layers * self.layer_parameters + ends

    @property
    def layer_bytes(self) -> int:
        """Bytes of one layer's weights."""
        if self.bits is None:
            return self.layer_parameters * self.width
        # A scale of 16 bits and a zero for each group; FP8 has one scale for each matrix, which is negligible.
        overhead = (16 + self.bits) / GROUP if self.bits < 8 else 0.0
        return int(self.layer_parameters * (self.bits + overhead) / 8)

    @property
    def embedding_bytes(self) -> int:
        """Bytes of the table of tokens and of the output; neither is quantised."""
        return self.embedding_parameters * self.width

    @property
    def weight_bytes(self) -> int:
        """All of them."""
        return self.layers * self.layer_bytes + self.embedding_bytes * (1 if self.is_tied else 2)

    def kv_bytes(self, kv_width: int, layers: int | None = None, tensor_parallel: int = 1) -> int:
        """Of one token, on one rank: a key and a value in each layer, of each head that the rank has."""
        # Fewer heads than ranks: each rank has one, some the same.
        heads = max(1, self.kv_heads // tensor_parallel)
        return 2 * (self.layers if layers is None else layers) * heads * self.head_size * kv_width


def read_model(path: Path, quantization: str | None = None) -> ModelSize:
    """Size of a checkpoint.

    Args:
        path: its folder, or its config.json.
        quantization: of a variant of it; None to use what the config says.

    Raises:
        PlanError: there is no such file, or it describes another kind of model.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(
            f"{file} is no config.json that can be read: {error}; name a checkpoint's folder or that file"
        ) from error
    kind = config.get("model_type")
    if kind not in DENSE:
        raise PlanError(
            f"{file} has model_type {kind!r}; the arithmetic is that of {', '.join(sorted(DENSE))}. For others start "
            "the server: its log says how many tokens the KV cache holds"
        )
    try:
        return _size(config, quantization)
    except KeyError as error:
        raise PlanError(f"{file} has no {error.args[0]}, which the arithmetic needs") from error


def _size(config: dict[str, Any], quantization: str | None) -> ModelSize:
    hidden, feed_forward = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads", heads)
    head_size = config.get("head_dim") or hidden // heads
    attention = 2 * hidden * heads * head_size + 2 * hidden * kv_heads * head_size
    dtype = config.get("dtype") or config.get("torch_dtype") or "bfloat16"
    return ModelSize(
        hidden=hidden,
        feed_forward=feed_forward,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        vocabulary=config["vocab_size"],
        # Norms and biases are less than a thousandth.
        layer_parameters=attention + 3 * hidden * feed_forward,
        embedding_parameters=config["vocab_size"] * hidden,
        is_tied=bool(config.get("tie_word_embeddings")),
        width=WIDTHS.get(dtype, 2),
        bits=_bits(config, quantization),
    )


def _bits(config: dict[str, Any], quantization: str | None) -> int | None:
    if quantization is not None:
        return BITS[quantization]
    found = config.get("quantization_config")
    if not found:
        return None
    method = found.get("quant_method")
    bits = found.get("bits") or BITS.get(method)
    if bits is None:
        raise PlanError(
            f"quantization_config has quant_method {method!r}; known are {', '.join(BITS)}: name one as --quantization"
        )
    return int(bits)
