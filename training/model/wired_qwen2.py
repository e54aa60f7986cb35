"""The tiny model: a plain Qwen2 with an initialisation that puts known circuits in place.

The weights are those of an ordinary Qwen2 checkpoint; only their starting values differ from the default:

* two heads of layer 0 attend to the previous and the one-before-previous position, through their QKV biases;
* the first two heads of layer 1 look for the token that those heads wrote (an induction head, arXiv 2209.11895);
* the other heads start with W_K = W_Q, so that equal tokens attend to each other (mimetic, arXiv 2305.09828);
* numbers get rows of Fourier features (value modulo 2 to 400, and its logarithm).

Without them and Muon the same model misses the look-ups and the arithmetic inside the token budget.
"""

import math
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from steiner.training.config.recipe import ModelShape

EMBEDDING_STD = 0.08
FINAL_NORM_GAIN = 0.3
POSITION_BIAS = 6.0
NUM_FAST_PAIRS = 6
INDUCTION_GAIN = 2.0
FOURIER_PERIODS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 25, 32, 50, 64, 100, 200, 400)


def shape_config(shape: ModelShape, tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """The configuration of a shape, for the tokenizer."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.ffn_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )


def build_model(shape: ModelShape, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    """A freshly initialised float32 model for the tokenizer."""
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(shape_config(shape, tokenizer)).to(torch.float32)
    with torch.no_grad():
        _initialise_embeddings(model, tokenizer)
        for layer in model.model.layers:
            attention = layer.self_attn
            attention.k_proj.weight.copy_(attention.q_proj.weight)
            attention.o_proj.weight.mul_(0.5)
            layer.mlp.down_proj.weight.mul_(0.5)
        if shape.layers >= 2 and shape.heads >= 3:
            _wire_induction_heads(model, shape)
        model.model.norm.weight.fill_(FINAL_NORM_GAIN)
    return model


def _initialise_embeddings(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = model.get_input_embeddings().weight
    rows.normal_(std=EMBEDDING_STD)
    # Sorted, because the vocabulary comes in another order each time, and each number draws its own noise.
    numbers = sorted(
        (int(piece[1:]), row)
        for piece, row in tokenizer.get_vocab().items()
        if piece[1:].isdecimal() and piece[0] == "\u2581"
    )
    values = torch.tensor([float(value) for value, _ in numbers])
    features = fourier_features(values)
    projection = torch.randn(features.shape[1], rows.shape[1]) / math.sqrt(features.shape[1])
    rows[[row for _, row in numbers]] = EMBEDDING_STD * (
        features @ projection + 0.5 * torch.randn(len(numbers), rows.shape[1])
    )


def fourier_features(values: Tensor) -> Tensor:
    """Features of whole numbers.

    Args:
        values: (N,) float.

    Returns:
        (N, 2 P + 1) float of about unit variance: cosine and sine for each of the P periods, and the scaled logarithm.
    """
    angles = 2 * math.pi * values[:, None] / torch.tensor(FOURIER_PERIODS, dtype=torch.float32)
    logarithm = torch.log1p(values)[:, None]
    logarithm = (logarithm - logarithm.mean()) / logarithm.std()
    return torch.cat(
        [math.sqrt(2) * torch.cos(angles), math.sqrt(2) * torch.sin(angles), 2 * logarithm], dim=1
    )


def _wire_induction_heads(model: Qwen2ForCausalLM, shape: ModelShape) -> None:
    """Layer 0, heads 0 and 1: copy the token one and two back. Layer 1, heads 0 and 1: find what they copied.

    The code of a token lives in the slowly rotating half of the head, so that distance does not scramble the match.
    """
    head_dim = shape.width // shape.heads
    pairs = head_dim // 2
    frequencies = shape.rope_theta ** (-torch.arange(pairs, dtype=torch.float32) / pairs)
    first, second = (cast("torch.nn.Module", layer).self_attn for layer in model.model.layers[:2])
    slow = torch.cat([torch.arange(pairs // 2, pairs), torch.arange(pairs + pairs // 2, head_dim)])
    for head, offset in enumerate((1, 2)):
        rows = slice(head * head_dim, (head + 1) * head_dim)
        for projection in (first.q_proj, first.k_proj):
            projection.weight[rows].mul_(0.1)
            projection.bias[rows].zero_()
        fast = torch.arange(min(NUM_FAST_PAIRS, pairs))
        angles = offset * frequencies[fast]
        start = head * head_dim
        first.k_proj.bias[start + fast] = POSITION_BIAS
        first.q_proj.bias[start + fast] = POSITION_BIAS * torch.cos(angles)
        first.q_proj.bias[start + pairs + fast] = -POSITION_BIAS * torch.sin(angles)

        code = torch.randn(len(slow), shape.width) / math.sqrt(shape.width)
        written = torch.linalg.qr(torch.randn(shape.width, len(slow)))[0]
        first.v_proj.weight[rows].mul_(0.1)
        first.v_proj.weight[start + slow] = code
        first.o_proj.weight[:, rows].mul_(0.1)
        first.o_proj.weight[:, start + slow] = written * EMBEDDING_STD * math.sqrt(shape.width / len(slow))
        second.q_proj.weight[rows].mul_(0.1)
        second.k_proj.weight[rows].mul_(0.1)
        second.q_proj.weight[start + slow] = INDUCTION_GAIN * code
        second.k_proj.weight[start + slow] = (
            INDUCTION_GAIN * written.T / math.sqrt(len(slow) / shape.width) * 0.5
        )
