"""The memory plan: counts are the real models', items follow the recipe, and the verdict says what is true."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch.autograd.graph import saved_tensors_hooks
from transformers import Qwen2ForCausalLM

from steiner.training.config.base_checkpoint import BaseCheckpoint, Lora
from steiner.training.config.recipe import Recipe, load_recipe
from steiner.training.main import plan
from steiner.training.model.adapters import with_adapters
from steiner.training.model.from_base import BaseError
from steiner.training.model.starting_model import tokenizer_of
from steiner.training.model.tokenizer import special_tokens
from steiner.training.model.wired_qwen2 import build_model
from steiner.training.planning.activations import count_activations
from steiner.training.planning.memory import plan_memory
from steiner.training.planning.plan import GIB, MemoryPlan, show_plan
from steiner.training.planning.shape import NEEDED, count, planned_config

RECIPES = Path(__file__).parents[4] / "training" / "recipes"
QWEN = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "tie_word_embeddings": False,
}
BASE = {"base": "nobody/nothing", "max_positions": 128, "config": QWEN}
RecipeOf = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def sharded(**devices: Any) -> dict[str, Any]:
    return {"gpus": 4, "sharding": "full", "gpu_memory_gib": 80, "micro_batch_tokens": 128} | devices


def items(planned: MemoryPlan, stage: int = 0) -> dict[str, float]:
    return {item.name: item.num_bytes for item in planned.stages[stage].items}


def shown(planned: MemoryPlan) -> str:
    written = StringIO()
    show_plan(planned, Console(file=written, width=160))
    return written.getvalue()


def test_a_shapes_parameters_are_those_of_its_model(recipe_of: RecipeOf) -> None:
    recipe = recipe_of()
    model = build_model(recipe.model, tokenizer_of(recipe), 0)  # type: ignore[arg-type]
    counts = count(planned_config(recipe), recipe)
    assert counts.every == counts.trained == model.num_parameters()
    assert counts.matrices == sum(
        p.numel() for n, p in model.named_parameters() if "layers" in n and p.ndim == 2
    )
    assert counts.adapters == 0


def test_adapters_are_counted_beside_their_base(recipe_of: RecipeOf) -> None:
    recipe = recipe_of(model=BASE | {"lora": {"rank": 8}})
    config = planned_config(recipe)
    counts = count(config, recipe)
    plain = Qwen2ForCausalLM(config)
    assert counts.every == plain.num_parameters()
    adapted = with_adapters(plain, Lora(rank=8), range(len(special_tokens())), 0)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert counts.trained == counts.adapters == trained
    assert counts.layer * 3 + counts.embedding + counts.head + config.hidden_size == counts.every


@pytest.mark.parametrize("lora", [None, {"rank": 8}])
def test_activations_are_those_of_a_real_forward_pass(
    recipe_of: RecipeOf, lora: dict[str, int] | None
) -> None:
    """Without memory the same bytes are counted as in a pass that computes, attention aside."""
    recipe = recipe_of(model=BASE | {"lora": lora}, devices=sharded())
    config = planned_config(recipe)
    counted = count_activations(config, recipe, 128)
    model: torch.nn.Module = Qwen2ForCausalLM(config).to(torch.bfloat16)
    if lora is not None:
        model = with_adapters(model, Lora(rank=8), range(len(special_tokens())), 0)
    own = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        mask = {"full_attention": None}
        tokens = torch.zeros((1, 128), dtype=torch.int64)
        model(input_ids=tokens, attention_mask=mask, use_cache=False, logits_to_keep=1)
    real = sum(storage.nbytes() for storage in kept.values())
    assert 3 * counted.layer + counted.rest == pytest.approx(real, rel=0.03)


def test_checkpointing_keeps_the_inputs_and_one_layer(recipe_of: RecipeOf) -> None:
    model = {"width": 64, "layers": 6, "heads": 4, "ffn_width": 96, "max_positions": 512}
    without, with_it = (
        items(plan_memory(recipe_of(model=model, devices={"activation_checkpointing": on})))["activations"]
        for on in (False, True)
    )
    assert with_it < without / 3


def test_sharding_divides_what_is_there_all_the_time(recipe_of: RecipeOf) -> None:
    whole = items(plan_memory(recipe_of(model=BASE, devices=sharded(sharding="none"))))
    divided = items(plan_memory(recipe_of(model=BASE, devices=sharded())))
    for name in ("weights", "gradients", "AdamW"):
        assert divided[name] == whole[name] / 4
    assert {"gathered weights", "gathered gradients"} == set(divided) - set(whole)
    assert set(whole) - set(divided) == {"DDP's buckets"}
    counts = count(planned_config(recipe_of(model=BASE)), recipe_of(model=BASE))
    assert (whole["weights"], whole["AdamW"]) == (4 * counts.every, 8 * counts.every)


def test_adapters_save_gradients_and_optimizer_state(recipe_of: RecipeOf) -> None:
    full = items(plan_memory(recipe_of(model=BASE, devices=sharded())))
    lora = items(plan_memory(recipe_of(model=BASE | {"lora": {"rank": 4}}, devices=sharded())))
    assert lora["weights of the base"] == full["weights"] / 2
    assert lora["AdamW"] < full["AdamW"] / 4
    assert lora["gathered gradients"] < full["gathered gradients"] / 4


def test_muon_keeps_one_moment_of_the_matrices(recipe_of: RecipeOf) -> None:
    muon = items(plan_memory(recipe_of()))
    adamw = items(plan_memory(recipe_of(sft={"tokens": 1000, "optimizer": "adamw"})))
    assert muon["Muon, AdamW"] < adamw["AdamW"]


def test_a_pass_holds_the_longest_document_at_least(recipe_of: RecipeOf) -> None:
    sft = {"tokens": 1000, "batch_tokens": [256, 4096]}
    logits = [
        items(plan_memory(recipe_of(model=BASE, sft=sft, devices=devices)))["logits"]
        for devices in ({}, {"micro_batch_tokens": 512}, {"micro_batch_tokens": 8})
    ]
    assert logits == [10 * 320 * tokens for tokens in (4096, 512, 128)]


def test_the_verdict_says_by_how_much(recipe_of: RecipeOf) -> None:
    fits = plan_memory(recipe_of(devices={"gpu_memory_gib": 8}))
    assert fits.fits
    assert "Fits: " in shown(fits)
    tight = plan_memory(recipe_of(devices={"gpu_memory_gib": 1}))
    assert not tight.fits
    over = (tight.stages[0].total - GIB) / GIB
    assert f"Does not fit: {over:.1f} GiB more than the 1 there are." in shown(tight)
    assert "What saves memory: devices.activation_checkpointing: true; " in shown(tight)
    unknown = plan_memory(recipe_of())
    assert unknown.fits
    assert "Name devices.gpu_memory_gib" in shown(unknown)


def test_every_stage_of_the_recipe_is_planned(recipe_of: RecipeOf) -> None:
    planned = plan_memory(recipe_of(cpt={"tokens": 1000}))
    assert [stage.stage for stage in planned.stages] == ["cpt", "sft"]
    assert "cpt: one GPU" in shown(planned)


def test_sampling_and_learning_take_turns(recipe_of: RecipeOf) -> None:
    rl = {"steps": 1, "rollouts": {"tensor_parallel": 4, "gpu_memory": 0.25}, "max_new_tokens": 100}
    planned = plan_memory(recipe_of(model=BASE, devices=sharded(), rl=rl))
    assert [stage.stage for stage in planned.stages] == ["sft", "rl, while it samples", "rl, while it learns"]
    sampling, learning = items(planned, 1), items(planned, 2)
    assert sampling["vLLM"] == 0.25 * 80 * GIB
    assert not {"gradients", "logits", "activations"} & set(sampling)
    assert "vLLM" not in learning
    assert {name: sampling[name] for name in ("weights", "AdamW")} == {
        name: learning[name] for name in ("weights", "AdamW")
    }


def test_an_engine_needs_its_weights_whatever_share_it_gets(recipe_of: RecipeOf) -> None:
    rl = {"steps": 1, "rollouts": {"gpu_memory": 0.001}}
    devices = {"gpu_memory_gib": 0.5}
    recipe = recipe_of(
        model={"width": 512, "layers": 8, "heads": 8, "ffn_width": 2048, "max_positions": 64}, rl=rl
    )
    recipe = recipe.model_copy(update={"devices": recipe.devices.model_copy(update=devices)})
    counts = count(planned_config(recipe), recipe)
    assert items(plan_memory(recipe), 1)["vLLM"] > 2 * counts.every


@pytest.mark.parametrize("name", ["32b", "small"])
def test_the_large_recipes_fit_where_they_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(RECIPES / f"{name}.yaml")
    assert capsys.readouterr().out.count("Fits: ") == 4


def test_the_32b_recipe_has_the_parameters_of_its_base() -> None:
    recipe = load_recipe(RECIPES / "32b.yaml")
    # Qwen2.5-32B's card: 32.5B parameters, of these 31.0B without the embeddings.
    counts = count(planned_config(recipe), recipe)
    assert counts.every == pytest.approx(32.5e9, rel=0.01)
    assert counts.every - counts.embedding - counts.head == pytest.approx(31.0e9, rel=0.01)


def test_the_32b_recipe_fits_smaller_gpus_with_adapters() -> None:
    recipe = load_recipe(RECIPES / "32b.yaml")
    devices = recipe.devices.model_copy(update={"gpu_memory_gib": 79.0})
    assert not plan_memory(recipe.model_copy(update={"devices": devices})).fits
    assert isinstance(recipe.model, BaseCheckpoint)
    lora = recipe.model.model_copy(update={"lora": Lora(rank=64)})
    assert plan_memory(recipe.model_copy(update={"devices": devices, "model": lora})).fits


@pytest.mark.parametrize("missing", NEEDED)
def test_numbers_that_are_missing_are_named(recipe_of: RecipeOf, missing: str) -> None:
    numbers = {name: value for name, value in QWEN.items() if name != missing}
    with pytest.raises(BaseError, match=rf"model\.config lacks {missing}, which `--plan` needs"):
        planned_config(recipe_of(model=BASE | {"config": numbers}))


def test_a_base_without_numbers_and_out_of_reach_is_told(recipe_of: RecipeOf) -> None:
    with pytest.raises(BaseError, match="'nobody/nothing' is no folder"):
        planned_config(recipe_of(model={"base": "nobody/nothing", "max_positions": 128}))
