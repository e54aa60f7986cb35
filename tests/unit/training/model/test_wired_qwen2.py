"""The initialisation does what its docstring says, and leaves a plain causal Qwen2."""

from collections.abc import Iterator

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from steiner.training.config.recipe import ModelShape
from steiner.training.model.wired_qwen2 import FOURIER_PERIODS, build_model, fourier_features

SHAPE = ModelShape(width=128, layers=4, heads=4, ffn_width=352, max_positions=2048)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    return build_model(SHAPE, tokenizer, seed=1).eval()


@pytest.fixture
def token_ids(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """(2, 300) random tokens."""
    return torch.randint(len(tokenizer), (2, 300), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("head", "offset"), [(0, 1), (1, 2)])
def test_position_heads_look_one_and_two_back(
    model: Qwen2ForCausalLM, token_ids: torch.Tensor, head: int, offset: int
) -> None:
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    attention = model(token_ids, output_attentions=True).attentions[0]
    model.set_attn_implementation(implementation)
    mass = attention.diagonal(offset=-offset, dim1=2, dim2=3)
    assert mass[:, head].mean() > 0.7
    assert mass[:, head].min() > 0.5
    others = [other for other in range(SHAPE.heads) if other != head]
    assert mass[:, others].mean() < 0.1


def test_the_induction_heads_look_behind_the_last_time(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    half = torch.randperm(len(tokenizer), generator=torch.Generator().manual_seed(0))[:60]
    attention = model(half.repeat(2)[None], output_attentions=True).attentions[1][0]
    model.set_attn_implementation(implementation)
    for head, offset in ((0, 1), (1, 2)):
        # From the second time a token comes to what stood one (two) behind it the first time.
        behind = attention[head].diagonal(offset=-(60 - offset))[offset:]
        assert behind.mean() > 5 / 90
        assert behind.mean() > 3 * attention[2:].diagonal(offset=-(60 - offset), dim1=1, dim2=2).mean()


def test_nothing_looks_ahead(model: Qwen2ForCausalLM, token_ids: torch.Tensor) -> None:
    changed = token_ids.clone()
    changed[:, 200:] = (changed[:, 200:] + 1) % model.config.vocab_size
    before, after = model(token_ids).logits, model(changed).logits
    torch.testing.assert_close(before[:, :200], after[:, :200])
    assert not torch.allclose(before[:, 200:], after[:, 200:])


def test_it_is_a_plain_qwen2_below_ten_million_parameters(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert type(model) is Qwen2ForCausalLM
    assert sum(parameter.numel() for parameter in model.parameters()) < 10_000_000
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    config = model.config
    assert (config.vocab_size, config.max_position_embeddings) == (len(tokenizer), 2048)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_a_seed_gives_the_same_weights(tokenizer: PreTrainedTokenizerFast) -> None:
    first, again, other = (build_model(SHAPE, tokenizer, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_it_starts_near_a_uniform_guess(model: Qwen2ForCausalLM, token_ids: torch.Tensor) -> None:
    logits = model(token_ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), token_ids[:, 1:].flatten())
    uniform = torch.tensor(float(model.config.vocab_size)).log()
    assert abs(loss - uniform) < 0.5


@pytest.mark.parametrize(("layers", "heads"), [(1, 4), (2, 2)])
def test_shapes_without_room_for_the_circuits_are_built_too(
    tokenizer: PreTrainedTokenizerFast, layers: int, heads: int
) -> None:
    shape = ModelShape(width=32, layers=layers, heads=heads, ffn_width=32, max_positions=64)
    assert build_model(shape, tokenizer, 0).config.num_hidden_layers == layers


def test_numbers_are_known_by_remainder_and_size(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    features = fourier_features(torch.arange(200.0))
    assert features.shape == (200, 2 * len(FOURIER_PERIODS) + 1)
    assert 0.5 < features.var() < 2.0
    # Columns of period 10: the last digit.
    column = FOURIER_PERIODS.index(10)
    torch.testing.assert_close(features[7, column], features[117, column], atol=1e-4, rtol=0)
    rows = model.get_input_embeddings().weight.detach()
    near, far = (
        torch.cosine_similarity(rows[tokenizer.encode("90")], rows[tokenizer.encode(other)]).item()
        for other in ("91", "137")
    )
    assert near > far
