"""A model on GPUs: what each of them holds, and how many traces fit at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from steiner.plan.model_size import ModelSize, PlanError

GIB = 1 << 30
#: CUDA's context, its graphs and NCCL's buffers on each GPU: an estimate that the server's log replaces.
FIXED_GIB = 2.0
#: Each token of a batch at once: both halves of the feed-forward and some vectors of the model's width.
VECTORS = 4
#: Numbers of GPUs to try when a machine has too few.
MOST_GPUS = 16
#: vLLM's defaults: tokens of a batch, by the least memory of a GPU in GiB.
BATCH_TOKENS = ((160.0, 16384), (70.0, 8192), (0.0, 2048))


@dataclass(frozen=True, slots=True)
class Machines:
    """The hardware.

    Attributes:
        gpu_gib: memory of one GPU, as nvidia-smi shows it.
        gpus: in one machine.
        nodes: machines.
    """

    gpu_gib: float
    gpus: int = 1
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Choices:
    """What the hardware has to do.

    Attributes:
        trace_tokens: prompt, reasoning and answer of one generation.
        utilization: share of a GPU's memory to use.
        kv_width: bytes of a number in the KV cache; 1 for FP8.
        batch_tokens: of one step of the engine; None for vLLM's default.
        tensor_parallel: ranks that share each layer; None for all GPUs of a machine.
    """

    trace_tokens: int = 8192
    utilization: float = 0.9
    kv_width: int = 2
    batch_tokens: int | None = None
    tensor_parallel: int | None = None

    @property
    def flags(self) -> list[str]:
        """Flags of `steiner serve` that differ from its defaults."""
        flags = []
        if self.utilization != Choices().utilization:
            flags.append(f"--gpu-memory-utilization {self.utilization:g}")
        rest: dict[str, str | int] = {}
        if self.kv_width == 1:
            rest["kv_cache_dtype"] = "fp8"
        if self.batch_tokens is not None:
            rest["max_num_batched_tokens"] = self.batch_tokens
        return [*flags, f"--engine-args '{json.dumps(rest)}'"] if rest else flags


@dataclass(frozen=True, slots=True)
class Plan:
    """What the fullest GPU holds, in GiB, and what follows.

    Attributes:
        weights: its share of the weights.
        reserve: an estimate of what computing takes in addition.
        cache: what is left for the KV cache.
        trace: its share of one trace's KV cache.
        concurrency: traces that fit at once, on one copy of the model.
        copies: of the model, on all machines.
    """

    tensor_parallel: int
    pipeline_parallel: int
    nodes: int
    budget: float
    weights: float
    reserve: float
    cache: float
    trace: float
    concurrency: int
    copies: int

    @property
    def flags(self) -> list[str]:
        """Flags of `steiner serve`; if machines share a model, those of machine 0."""
        flags = []
        if self.tensor_parallel > 1:
            flags.append(f"--tensor-parallel-size {self.tensor_parallel}")
        if self.pipeline_parallel > 1:
            flags.append(f"--pipeline-parallel-size {self.pipeline_parallel}")
        if self.nodes > 1:
            flags.append(f"--nnodes {self.nodes} --master-addr HOST0")
        if self.copies > 1:
            # Sequences are counted for each copy, places for all of them.
            flags.append(f"--data-parallel-size {self.copies} --max-running {self.copies * self.concurrency}")
        return [*flags, f"--max-num-seqs {max(1, self.concurrency)}"]


def plan(model: ModelSize, machines: Machines, choices: Choices) -> Plan:
    """Do the arithmetic.

    Raises:
        PlanError: the heads cannot be divided like this, or the weights leave no room for one trace.
    """
    tensor_parallel = choices.tensor_parallel or machines.gpus
    if model.heads % tensor_parallel or machines.gpus % tensor_parallel:
        divisors = [ranks for ranks in range(1, machines.gpus + 1) if not model.heads % ranks]
        fitting = [ranks for ranks in divisors if not machines.gpus % ranks]
        raise PlanError(
            f"tensor parallel ranks must divide the {model.heads} heads and the {machines.gpus} GPUs of a machine: "
            f"{', '.join(map(str, fitting))}; given {tensor_parallel}"
        )
    pipeline = machines.nodes
    if pipeline > model.layers:
        raise PlanError(f"{pipeline} machines are more than the {model.layers} layers that they would share")
    found = _fill(model, machines, choices, tensor_parallel, pipeline)
    if found.concurrency < 1:
        raise PlanError(
            f"of the {found.budget:.1f} GiB of each GPU the weights take {found.weights:.1f} and computing "
            f"{found.reserve:.1f}: {max(found.cache, 0.0):.1f} are left, and a trace of {choices.trace_tokens} "
            f"tokens needs {found.trace:.2f}. {_remedy(model, machines, choices)}"
        )
    return found


def _fill(
    model: ModelSize, machines: Machines, choices: Choices, tensor_parallel: int, pipeline: int
) -> Plan:
    """What the fullest GPU holds: in a pipeline, the stage with most layers and an end of the model."""
    layers = -(-model.layers // pipeline)
    ends = 2 if pipeline == 1 and not model.is_tied else 1
    weights = (layers * model.layer_bytes + ends * model.embedding_bytes) / tensor_parallel / GIB
    batch = choices.batch_tokens or next(
        tokens for least, tokens in BATCH_TOKENS if machines.gpu_gib >= least
    )
    numbers = batch * (2 * model.feed_forward / tensor_parallel + VECTORS * model.hidden)
    reserve = FIXED_GIB + numbers * 2 / GIB
    budget = machines.gpu_gib * choices.utilization
    cache = budget - weights - reserve
    trace = model.kv_bytes(choices.kv_width, layers, tensor_parallel) * choices.trace_tokens / GIB
    return Plan(
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline,
        nodes=machines.nodes,
        budget=budget,
        weights=weights,
        reserve=reserve,
        cache=cache,
        trace=trace,
        concurrency=max(0, int(cache // trace)),
        copies=machines.gpus // tensor_parallel,
    )


def _remedy(model: ModelSize, machines: Machines, choices: Choices) -> str:
    others = "shorten the trace (--trace-tokens)"
    if model.bits is None:
        others = f"quantise the weights (--quantization awq), or {others}"
    for gpus in range(machines.gpus + 1, MOST_GPUS + 1):
        if model.heads % gpus == 0:
            more = _fill(model, replace(machines, gpus=gpus), choices, gpus, machines.nodes)
            if more.concurrency >= 1:
                return f"{gpus} such GPUs in a machine are enough; or {others}"
    return f"Take larger GPUs; or {others}"
