"""The memory of one GPU, item by item, for each training stage of a recipe.

Tensors are counted by their shapes: parameters, gradients, optimizer state, what the backward pass needs. CUDA, NCCL
and gaps of the allocator get an allowance. All items are added up, though not all are at their largest at the same
time, so the sum is an upper bound.
"""

from typing import Literal

from transformers import Qwen2Config

from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.recipe import Optimisation, Recipe
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.planning.activations import computes_in_bfloat16, count_activations
from steiner.training.planning.plan import GIB, Item, MemoryPlan, StagePlan
from steiner.training.planning.shape import Counts, count, planned_config

GRADIENTS = "gradients"
CONTEXT_GIB = 2.0
"""CUDA's context, kernels and NCCL's buffers."""
PROMPT_TOKENS = 512
"""Room for a problem's chat prompt before a rollout."""
CACHE_SHARE = 0.1
"""The least useful cache of an engine, as a share of its weights."""
GAPS = 0.05
"""Share of a GPU that the allocator cannot use, from experience."""
LOGIT_BYTES = 2 + 4 + 4
"""A logit in bfloat16, in float32, and its logarithm of the softmax; in the backward pass a gradient takes the place of
the second."""


def plan_memory(recipe: Recipe) -> MemoryPlan:
    """Plan every stage that the recipe has.

    Raises:
        BaseError: the base's shape is unknown.
    """
    config = planned_config(recipe)
    counts = count(config, recipe)
    stages = [
        _training_stage(recipe, config, counts, name, stage)
        for name, stage in (("cpt", recipe.cpt), ("sft", recipe.sft))
        if stage is not None
    ]
    if recipe.rl is not None:
        stages += _reinforcement(recipe, config, counts, recipe.rl)
    return MemoryPlan(recipe, config, counts, tuple(stages), _advice(recipe) if not _all_fit(stages) else ())


def _all_fit(stages: list[StagePlan]) -> bool:
    return all(stage.fits is not False for stage in stages)


def _training_stage(
    recipe: Recipe, config: Qwen2Config, counts: Counts, name: str, stage: Optimisation
) -> StagePlan:
    items = [
        *_states(recipe, counts, recipe.optimizer_of(stage)),
        *_compute(recipe, config, counts, _pass_tokens(recipe, stage)),
    ]
    return _stage_plan(recipe, name, items)


def _reinforcement(
    recipe: Recipe, config: Qwen2Config, counts: Counts, stage: ReinforcementStage
) -> list[StagePlan]:
    """Sampling and updates take turns: the engine holds nothing while gradients are there."""
    states = _states(recipe, counts, "adamw")
    rollouts = stage.rollouts
    weights = 2 * counts.every / rollouts.tensor_parallel
    available = recipe.devices.gpu_memory_gib
    share = rollouts.gpu_memory * available * GIB if available else weights
    # vLLM does not start with less than its weights and some cache.
    least = weights * (1 + CACHE_SHARE)
    engine = Item(
        "vLLM",
        max(share, least),
        f"{rollouts.gpu_memory:.0%} of the GPU, of it weights {weights / GIB:.1f} GiB (2 B x {_number(counts.every)} / "
        f"{rollouts.tensor_parallel}) and the rest cache",
    )
    update = _compute(
        recipe, config, counts, stage.rollouts_per_pass * (stage.max_new_tokens + PROMPT_TOKENS)
    )
    return [
        _stage_plan(recipe, "rl, while it samples", [*(s for s in states if s.name != GRADIENTS), engine]),
        _stage_plan(recipe, "rl, while it learns", [*states, *update]),
    ]


def _stage_plan(recipe: Recipe, name: str, items: list[Item]) -> StagePlan:
    available = recipe.devices.gpu_memory_gib
    allowance = CONTEXT_GIB * GIB + (GAPS * available * GIB if available else 0)
    text = f"{CONTEXT_GIB:g} GiB + {GAPS:.0%} of the GPU" if available else f"{CONTEXT_GIB:g} GiB"
    items = [*items, Item("CUDA, NCCL, gaps", allowance, text)]
    return StagePlan(name, tuple(items), available * GIB if available else None)


def _states(recipe: Recipe, counts: Counts, optimizer: Literal["muon", "adamw"]) -> list[Item]:
    """What is always in memory: weights, gradients, optimizer state."""
    shards = recipe.devices.gpus if recipe.devices.sharding == "full" else 1
    by = f" / {shards}" if shards > 1 else ""
    every, trained = _number(counts.every), _number(counts.trained)
    items: list[Item] = []
    if counts.adapters:
        frozen = counts.every
        items.append(Item("weights of the base", 2 * frozen / shards, f"2 B x {every}{by}, bfloat16"))
        items.append(Item("adapters", 4 * counts.trained / shards, f"4 B x {trained}{by}, float32"))
    else:
        items.append(Item("weights", 4 * counts.every / shards, f"4 B x {every}{by}, float32"))
    items.append(Item(GRADIENTS, 4 * counts.trained / shards, f"4 B x {trained}{by}, float32"))
    if optimizer == "muon":
        others = counts.trained - counts.matrices
        size = 4 * counts.matrices + 8 * others
        items.append(
            Item("Muon, AdamW", size, f"4 B x {_number(counts.matrices)} matrices + 8 B x {_number(others)}")
        )
    else:
        items.append(
            Item("AdamW", 8 * counts.trained / shards, f"8 B x {trained}{by}: two moments in float32")
        )
    if recipe.devices.gpus > 1 and recipe.devices.sharding == "none":
        items.append(Item("DDP's buckets", 4 * counts.trained, f"4 B x {trained}"))
    return items


def _compute(recipe: Recipe, config: Qwen2Config, counts: Counts, num_tokens: int) -> list[Item]:
    """What a pass takes in addition."""
    kept = count_activations(config, recipe, num_tokens)
    layers = config.num_hidden_layers
    tokens = f"{num_tokens:,} tokens"
    if recipe.devices.activation_checkpointing:
        size = layers * kept.layer_input + kept.layer + kept.rest
        text = (
            f"{layers} x {_mib(kept.layer_input)} inputs + {_mib(kept.layer)} of the layer computed again + "
            f"{_mib(kept.rest)}, {tokens}"
        )
    else:
        size = layers * kept.layer + kept.rest
        text = f"{layers} x {_mib(kept.layer)} + {_mib(kept.rest)}, {tokens}"
    logits = LOGIT_BYTES * num_tokens * config.vocab_size
    items = [
        Item("activations", size, text),
        Item("logits", logits, f"{LOGIT_BYTES} B x {num_tokens:,} x {config.vocab_size:,} rows"),
    ]
    return [*items, *_copies(recipe, counts)]


def _copies(recipe: Recipe, counts: Counts) -> list[Item]:
    """Weights in the form used for computing, and gradients before they are divided."""
    if recipe.devices.sharding == "none" or recipe.devices.gpus == 1:
        return []
    width = 2 if computes_in_bfloat16(recipe) else 4
    gathered = width * (2 * counts.layer + counts.head)
    trained = counts.trained_layer if counts.adapters else max(counts.layer, counts.head)
    layer, head = _number(counts.layer), _number(counts.head)
    return [
        Item("gathered weights", gathered, f"{width} B x (2 x {layer} of a layer + {head} of the head)"),
        Item(
            "gathered gradients",
            (width + 4) * trained,
            f"({width} + 4) B x {_number(trained)}, before they are divided",
        ),
    ]


def _pass_tokens(recipe: Recipe, stage: Optimisation) -> int:
    """Tokens of the largest pass on one GPU. A document may be longer than a pass should be."""
    share = -(-max(stage.batch_tokens) // recipe.devices.gpus)
    return max(recipe.devices.micro_batch_tokens or share, recipe.model.max_positions)


def _advice(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe has not tried yet, the cheapest first."""
    devices = recipe.devices
    tried = {
        "devices.activation_checkpointing: true": devices.activation_checkpointing,
        "more devices.gpus, with sharding: full and optimizer: adamw": devices.sharding == "full"
        and devices.gpus > 1,
        f"devices.micro_batch_tokens: {recipe.model.max_positions}": devices.micro_batch_tokens is not None
        and devices.micro_batch_tokens <= recipe.model.max_positions,
        "a smaller model.max_positions": False,
        "more devices.gpus": devices.sharding == "none" or devices.gpus == 1,
        "model.lora": not isinstance(recipe.model, BaseCheckpoint) or recipe.model.lora is not None,
    }
    return tuple(name for name, done in tried.items() if not done)


def _number(count: int) -> str:
    """Parameters in the field's short form."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _mib(num_bytes: float) -> str:
    return f"{num_bytes / 2**20:,.0f} MiB"
