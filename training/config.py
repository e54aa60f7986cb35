"""One YAML describes a run; unknown keys are refused and every number has a unit."""

import random
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.languages import Language
from steiner.training.problems import FAMILIES


class RecipeError(SteinerError):
    """The recipe cannot be used; the message names the file, the field and the reason."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelShape(_Strict):
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


class SizeShare(_Strict):
    """One difficulty and its share of a family's problems.

    Attributes:
        folded: share of the traces that are taught as they look with `memory`: abandoned branches folded away. Searches
            too long for one training sequence are taught so only.
    """

    size: PositiveInt
    weight: PositiveFloat = 1.0
    folded: float = Field(default=0.0, ge=0, le=1)


class FamilyData(_Strict):
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


class Optimisation(_Strict):
    """Muon for the matrices of the blocks, AdamW for the rest, at one learning rate.

    Attributes:
        tokens: tokens to train on, padding excluded; the data is repeated where it is shorter.
        batch_tokens: padded tokens a batch at the start and at `ramp_until` of the tokens.
        decay_from: share of the tokens after which the rate falls along a cosine to `final_rate` of its peak.
    """

    tokens: PositiveInt
    learning_rate: PositiveFloat = 5e-3
    weight_decay: float = Field(default=0.05, ge=0)
    batch_tokens: tuple[PositiveInt, PositiveInt] = (1_500, 6_500)
    ramp_until: float = Field(default=0.6, ge=0, le=1)
    warmup_steps: int = Field(default=100, ge=0)
    decay_from: float = Field(default=0.3, ge=0, le=1)
    final_rate: float = Field(default=0.02, ge=0, le=1)
    max_gradient_norm: PositiveFloat = 1.0


class PretrainingStage(Optimisation):
    """Continual pre-training on plain documents: drills mixed with traces."""

    drill_share: float = Field(default=0.35, ge=0, le=1)


class FinetuningStage(Optimisation):
    """Supervised fine-tuning on chats, loss on the assistant's tokens.

    Attributes:
        cut: share of traces that are closed early, at a random point, and answered all the same.
        stretches: of a folded trace how many stretches between two backtracks are taken, the last one always.
    """

    cut: float = Field(default=0.15, ge=0, le=1)
    stretches: PositiveInt = 6


class ReinforcementStage(_Strict):
    """Group-relative policy gradient with a step-level reward (see docs/reward.md).

    Attributes:
        steps: policy updates.
        problems_per_step: groups in one update.
        samples_per_problem: rollouts in a group.
        outcome_weight: weight of the outcome's advantage.
        step_weight: lambda, the weight of the step-level advantage beside it.
        length_price: kappa, how much of the outcome the longest right search loses.
        step_cost: price of every step, in units of the step advantage.
        state_weight: a, the share of the prover's value beside the progress in the value of a state.
        max_new_tokens: rollouts longer than this count as failed.
        seed: of the problems drawn and the rollouts; the recipe's where not given.
        max_nodes: problems whose DAG has more nodes are left out: their searches would not fit in a rollout.
    """

    steps: int = Field(ge=0)
    seed: int | None = Field(default=None, ge=0)
    problems_per_step: PositiveInt = 16
    samples_per_problem: PositiveInt = 8
    learning_rate: PositiveFloat = 2e-4
    temperature: PositiveFloat = 1.0
    outcome_weight: float = Field(default=1.0, ge=0)
    step_weight: float = Field(default=0.3, ge=0)
    length_price: float = Field(default=0.2, ge=0, le=1)
    step_cost: float = Field(default=0.02, ge=0)
    state_weight: float = Field(default=0.5, ge=0, le=1)
    max_new_tokens: PositiveInt = 600
    max_nodes: PositiveInt = 100
    max_gradient_norm: PositiveFloat = 1.0


Style = Literal["search", "forward", "direct"]
"""What the assistant is taught to write: a search with backtracking; only the steps of a straight way to a goal; the
answer alone."""


class Recipe(_Strict):
    """A whole run.

    Attributes:
        output: folder of everything the run writes, relative to the working directory.
        style: what the assistant is taught to write; what is not a search is a baseline.
        languages: share of the problems, dialogues and drills told in each language.
        teacher_runs: `output` folders of `steiner teach`, whose traces are learned beside the generated ones.
        threads: CPU threads of the training process.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    seed: int = Field(ge=0)
    output: Path
    style: Style = "search"
    threads: PositiveInt = 2
    model: ModelShape
    languages: dict[Language, PositiveFloat] = Field(default={"en": 1.0}, min_length=1)
    data: dict[str, FamilyData] = Field(min_length=1)
    teacher_runs: list[Path] = []
    cpt: PretrainingStage | None = None
    sft: FinetuningStage
    rl: ReinforcementStage | None = None

    def draw_language(self, rng: random.Random) -> Language:
        """A language, by the shares."""
        return rng.choices(list(self.languages), list(self.languages.values()))[0]

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
        RecipeError: the file is missing, is no YAML, or a field is unknown or out of range.
    """
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors()
        )
        raise RecipeError(f"{path}:\n{problems}") from error
