"""A memory plan for readers: a table for each stage, the arithmetic next to each figure, and a verdict."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from steiner.training.planning.memory import GIB, MemoryPlan, StagePlan


def show_plan(plan: MemoryPlan, console: Console) -> None:
    """Print the plan."""
    devices, counts, config = plan.recipe.devices, plan.counts, plan.config
    memory = f" of {devices.gpu_memory_gib:g} GiB" if devices.gpu_memory_gib else ""
    trained = "all trained" if counts.trained == counts.every else f"{counts.trained:,} trained"
    console.print(
        f"{plan.recipe.name}: {counts.every:,} parameters, {trained}; {config.num_hidden_layers} layers, "
        f"{config.hidden_size:,} wide, {config.vocab_size:,} rows\n"
        f"{devices.gpus} GPU{'s' if devices.gpus > 1 else ''}{memory}, sharding {devices.sharding}, "
        f"{devices.precision}, activation checkpointing {'on' if devices.activation_checkpointing else 'off'}",
        highlight=False,
    )
    for stage in plan.stages:
        console.print(_stage(stage), highlight=False)
    if plan.advice:
        console.print(f"What saves memory: {'; '.join(plan.advice)}.", highlight=False)


def _stage(stage: StagePlan) -> RenderableType:
    table = Table(title=f"{stage.stage}: one GPU", title_justify="left", show_footer=True)
    table.add_column("", footer="together")
    table.add_column("GiB", justify="right", footer=f"{stage.total / GIB:.1f}")
    table.add_column("how it comes about", overflow="fold")
    for item in stage.items:
        table.add_row(item.name, f"{item.num_bytes / GIB:.1f}", item.arithmetic)
    return Group("", table, _verdict(stage))


def _verdict(stage: StagePlan) -> Text:
    if stage.available is None:
        return Text("Name devices.gpu_memory_gib to be told whether it fits.")
    spare = (stage.available - stage.total) / GIB
    if stage.fits:
        return Text(f"Fits: {spare:.1f} GiB of {stage.available / GIB:g} are left.", style="green")
    return Text(
        f"Does not fit: {-spare:.1f} GiB more than the {stage.available / GIB:g} there are.", style="bold red"
    )
