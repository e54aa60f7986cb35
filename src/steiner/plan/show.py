"""`steiner plan`: the arithmetic as a table, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from steiner.plan.model_size import ModelSize, read_model
from steiner.plan.placement import GIB, Choices, Machines, Plan, plan


def show_plan(
    model: Path, quantization: str | None, machines: Machines, choices: Choices, *, as_json: bool
) -> None:
    """Print what a model takes on these machines.

    Raises:
        PlanError: it cannot be computed, or does not fit.
    """
    size = read_model(model, quantization)
    found = plan(size, machines, choices)
    flags = " ".join([*found.flags, *choices.flags])
    if as_json:
        kv_bytes = size.kv_bytes(choices.kv_width)
        whole = {
            "parameters": size.parameters,
            "weight_bytes": size.weight_bytes,
            "kv_bytes_per_token": kv_bytes,
            "kv_bytes_per_trace": kv_bytes * choices.trace_tokens,
        }
        print(json.dumps(whole | dataclasses.asdict(found) | {"flags": flags}))
        return
    console = Console()
    console.print(plan_table(size, machines, choices, found))
    console.print(f"steiner serve MODEL {flags}", soft_wrap=True, markup=False, highlight=False)


def plan_table(size: ModelSize, machines: Machines, choices: Choices, found: Plan) -> Table:
    """Each line of the arithmetic."""
    table = Table("", "GiB", "how")
    per_token = size.kv_bytes(choices.kv_width)
    bits = f"{size.bits} bits in the layers" if size.bits else f"{size.width} bytes each"
    shared = f"/ {found.tensor_parallel * found.pipeline_parallel} GPUs"
    rows = [
        ("weights", size.weight_bytes / GIB, f"{size.parameters / 1e9:.2f}e9 parameters, {bits}"),
        ("KV cache of a trace", per_token * choices.trace_tokens / GIB,
         f"{choices.trace_tokens} tokens of {per_token / 1024:.0f} KiB: 2 x {size.layers} layers x {size.kv_heads} "
         f"heads x {size.head_size} x {choices.kv_width} bytes"),
        ("a GPU may use", found.budget, f"{machines.gpu_gib:g} x {choices.utilization:g}"),
        ("- its weights", found.weights, shared),
        ("- computing", found.reserve, "an estimate: context, graphs, one batch"),
        ("= its KV cache", found.cache, ""),
        ("its part of a trace", found.trace, shared),
    ]  # fmt: skip
    for name, gib, how in rows:
        table.add_row(name, f"{gib:.2f}", how)
    copies = f" on each of {found.copies} copies" if found.copies > 1 else ""
    table.add_row("traces at once", str(found.concurrency), f"cache / part of a trace{copies}")
    return table
