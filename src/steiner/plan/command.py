"""The command `steiner plan`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from steiner.plan.placement import Choices, Machines


def plan_command(
    model: Annotated[Path, typer.Argument(help="Checkpoint folder, or its config.json.", show_default=False)],
    gpu_memory_gib: Annotated[float, typer.Option(min=1.0, help="Of one GPU, as nvidia-smi tells it.")],
    gpus: Annotated[int, typer.Option(min=1, help="Of one machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that share one model.")] = 1,
    trace_tokens: Annotated[
        int, typer.Option(min=1, help="Prompt, reasoning and answer of a generation.")
    ] = 8192,
    quantization: Annotated[
        Literal["awq", "gptq", "fp8"] | None, typer.Option(help="Of the weights; default: the checkpoint's.")
    ] = None,
    kv_cache_dtype: Annotated[Literal["auto", "fp8"], typer.Option(help="Of the KV cache.")] = "auto",
    gpu_memory_utilization: Annotated[
        float, typer.Option(min=0.1, max=1.0, help="Share of GPU memory to use.")
    ] = 0.9,
    tensor_parallel_size: Annotated[
        int | None, typer.Option(min=1, help="GPUs that share each layer; default: all of a machine.")
    ] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(min=1, help="Of one step; default: vLLM's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Say what a model takes on GPUs, and how many reasoning traces fit at once. Needs no GPU."""
    from steiner.plan.show import show_plan

    choices = Choices(
        trace_tokens,
        gpu_memory_utilization,
        1 if kv_cache_dtype == "fp8" else 2,
        max_num_batched_tokens,
        tensor_parallel_size,
    )
    show_plan(model, quantization, Machines(gpu_memory_gib, gpus, nodes), choices, as_json=as_json)
