"""A memory plan: its stages and items, and how it is shown, with the arithmetic next to each figure and a verdict."""

from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from transformers import Qwen2Config

from steiner.training.config.recipe import Recipe
from steiner.training.planning.shape import Counts

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Item:
    """Attributes:
    arithmetic: how the size comes about, with numbers.
    """

    name: str
    num_bytes: float
    arithmetic: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Memory of one GPU in a stage, in bytes.

    Attributes:
        available: what the GPU has; None if the recipe does not say.
    """

    stage: str
    items: tuple[Item, ...]
    available: float | None

    @property
    def total(self) -> float:
        """Of all items."""
        return sum(item.num_bytes for item in self.items)

    @property
    def fits(self) -> bool | None:
        """Whether it fits; None if that is unknown."""
        return None if self.available is None else self.total <= self.available


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Attributes:
    counts: of the model's parameters.
    advice: what to change in the recipe to save memory, if a stage does not fit.
    """

    recipe: Recipe
    config: Qwen2Config
    counts: Counts
    stages: tuple[StagePlan, ...]
    advice: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether no stage is known not to fit."""
        return all(stage.fits is not False for stage in self.stages)


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
