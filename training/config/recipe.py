"""One YAML describes a run; unknown keys are refused and every number has a unit."""

import random
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag, field_validator, model_validator

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.languages import Language
from steiner.training.config.base_checkpoint import BaseCheckpoint
from steiner.training.config.devices import Devices
from steiner.training.config.files import Strict, read_yaml
from steiner.training.config.ordinary_text import OrdinaryText
from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.problems import FAMILIES


class RecipeError(SteinerError):
    """The recipe cannot be used; the message names the file, the field and the reason."""


class ModelShape(Strict):
    """Size of a model trained from scratch."""

    width: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    ffn_width: PositiveInt
    max_positions: PositiveInt
    rope_theta: PositiveFloat = 10_000.0

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads or self.width // self.heads % 2:
            raise ValueError(f"width {self.width} must be an even multiple of heads {self.heads}")
        return self


class SizeShare(Strict):
    """One difficulty and its share of a family's problems.

    Attributes:
        folded: share of the traces that are taught as they look with `memory`: abandoned branches folded away. Searches
            too long for one training sequence are always taught this way.
    """

    size: PositiveInt
    weight: PositiveFloat = 1.0
    folded: float = Field(default=0.0, ge=0, le=1)


class FamilyData(Strict):
    """How much of one family to generate.

    Attributes:
        problems: problems in all; about one in twenty is held out by its identity.
        traces_per_problem: searches sampled from each training problem's DAG.
        unsolvable: share of problems without a solution, whose search ends in "not found".
        drills: documents of primitive exercises for continual pre-training.
        dialogues: two-turn dialogues, whose second turn changes the problem of the first.
    """

    problems: PositiveInt
    sizes: list[SizeShare] = Field(min_length=1)
    traces_per_problem: PositiveInt = 1
    unsolvable: float = Field(default=0.04, ge=0, lt=1)
    drills: int = Field(default=0, ge=0)
    dialogues: int = Field(default=0, ge=0)

    def draw_size(self, rng: random.Random) -> int:
        """A size, by the weights."""
        return rng.choices([share.size for share in self.sizes], [share.weight for share in self.sizes])[0]

    def folded_share(self, size: int) -> float:
        """The share of this size's traces that are taught folded."""
        return next(share.folded for share in self.sizes if share.size == size)


class Optimisation(Strict):
    """How long and how fast a stage trains.

    Attributes:
        optimizer: `muon` is Muon for the matrices of the blocks and AdamW for the rest, at one learning rate; `adamw`
            is AdamW for everything. By default a model from scratch gets Muon, and a base AdamW.
        tokens: tokens to train on, without padding; the data is repeated if it is shorter.
        batch_tokens: padded tokens of a batch, over all GPUs, at the start and at `ramp_until` of the tokens.
        decay_from: share of the tokens after which the rate falls along a cosine to `final_rate` of its peak.
    """

    tokens: PositiveInt
    optimizer: Literal["muon", "adamw"] | None = None
    learning_rate: PositiveFloat = 5e-3
    weight_decay: float = Field(default=0.05, ge=0)
    batch_tokens: tuple[PositiveInt, PositiveInt] = (1_500, 6_500)
    ramp_until: float = Field(default=0.6, ge=0, le=1)
    warmup_steps: int = Field(default=100, ge=0)
    decay_from: float = Field(default=0.3, ge=0, le=1)
    final_rate: float = Field(default=0.02, ge=0, le=1)
    max_gradient_norm: PositiveFloat = 1.0


class PretrainingStage(Optimisation):
    """Continual pre-training on plain documents: drills mixed with traces, and with ordinary text.

    Attributes:
        drill_share: of the tokens that are not ordinary text.
    """

    drill_share: float = Field(default=0.35, ge=0, le=1)
    text: OrdinaryText | None = None


class FinetuningStage(Optimisation):
    """Supervised fine-tuning on chats, loss on the assistant's tokens.

    Attributes:
        cut: share of traces that are closed early, at a random point, and still answered.
        stretches: how many stretches between two backtracks are taken from a folded trace; the last is always taken.
    """

    cut: float = Field(default=0.15, ge=0, le=1)
    stretches: PositiveInt = 6


Style = Literal["search", "forward", "direct"]
"""What the assistant is taught to write: a search with backtracking; only the steps of a straight way to a goal; the
answer alone."""


def _kind_of_model(model: Any) -> str:
    given = model if isinstance(model, dict) else getattr(model, "__dict__", {})
    return "from a base" if "base" in given else "from nothing"


Model = Annotated[
    Annotated[ModelShape, Tag("from nothing")] | Annotated[BaseCheckpoint, Tag("from a base")],
    Discriminator(_kind_of_model),
]
"""A shape to train from scratch, or a checkpoint to go on from, which is the one with a `base`."""


class Recipe(Strict):
    """A whole run.

    Attributes:
        output: folder for everything the run writes, relative to the working directory.
        style: what the assistant is taught to write; any style but a search is a baseline.
        languages: share of the problems, dialogues and drills in each language.
        teacher_runs: `output` folders of `steiner teach`, whose traces are learned along with the generated ones.
        threads: CPU threads of the training process.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    seed: int = Field(ge=0)
    output: Path
    style: Style = "search"
    threads: PositiveInt = 2
    model: Model
    devices: Devices = Devices()
    languages: dict[Language, PositiveFloat] = Field(default={"en": 1.0}, min_length=1)
    data: dict[str, FamilyData] = Field(min_length=1)
    teacher_runs: list[Path] = Field(default_factory=list)
    cpt: PretrainingStage | None = None
    sft: FinetuningStage
    rl: ReinforcementStage | None = None

    def draw_language(self, rng: random.Random) -> Language:
        """A language, by the shares."""
        return rng.choices(list(self.languages), list(self.languages.values()))[0]

    def optimizer_of(self, stage: Optimisation) -> Literal["muon", "adamw"]:
        """The optimizer of a stage; if the stage names none, the kind of model decides."""
        return stage.optimizer or ("adamw" if isinstance(self.model, BaseCheckpoint) else "muon")

    @model_validator(mode="after")
    def _muon_sees_whole_matrices(self) -> Self:
        for name in ("cpt", "sft"):
            stage = getattr(self, name)
            if stage is None or self.optimizer_of(stage) != "muon":
                continue
            if self.devices.sharding != "none":
                raise ValueError(
                    f"{name}.optimizer is muon, which needs whole matrices, and devices.sharding is "
                    f"{self.devices.sharding}: use sharding none or optimizer adamw"
                )
            if isinstance(self.model, BaseCheckpoint) and self.model.lora is not None:
                raise ValueError(f"{name}.optimizer is muon, which model.lora has no use for: use adamw")
        return self

    @model_validator(mode="after")
    def _reinforcement_draws_from_the_data(self) -> Self:
        for name, sizes in ((self.rl and self.rl.sizes) or {}).items():
            made = {share.size for share in self.data[name].sizes} if name in self.data else set()
            if missing := sorted(set(sizes) - made):
                raise ValueError(
                    f"rl.sizes.{name}: {missing} are not among the sizes of data.{name}: {sorted(made)}"
                )
        return self

    @field_validator("data")
    @classmethod
    def _families_are_known(cls, data: dict[str, FamilyData]) -> dict[str, FamilyData]:
        if unknown := sorted(set(data) - set(FAMILIES)):
            raise ValueError(f"unknown families {unknown}; known are {sorted(FAMILIES)}")
        for name, family in data.items():
            possible = FAMILIES[name].sizes
            if wrong := sorted({share.size for share in family.sizes} - set(possible)):
                raise ValueError(f"{name}.sizes: {wrong} not in {possible[0]} to {possible[-1]}")
        return data

    @model_validator(mode="after")
    def _teachers_search(self) -> Self:
        if self.teacher_runs and self.style == "forward":
            raise ValueError("teacher_runs: a teacher's traces go back; the style forward has none that do")
        return self


def load_recipe(path: Path) -> Recipe:
    """Read and validate a recipe.

    Raises:
        RecipeError: the file is missing, is not YAML, or a field is unknown or out of range.
    """
    return read_yaml(path, Recipe, RecipeError, "recipe")


def record_stream(recipe: Recipe, *name: object) -> random.Random:
    """The random stream of a record, from the recipe's seed and the record's name."""
    return random.Random("/".join(map(str, (recipe.seed, *name))))
