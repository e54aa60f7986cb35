"""The recipe's rl section: what is sampled and rewarded, and the engine that samples."""

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from steiner.training.config.files import Strict


class Rollouts(Strict):
    """The vLLM engine that samples from the policy. It lives through the stage and shares the training's devices.

    Attributes:
        tensor_parallel: devices that the model is spread over.
        gpu_memory: share of each GPU's memory for the engine's weights and cache; given back during an update.
        cpu_cache_gib: the cache's size on a machine without a GPU, in GiB.
        concurrent: completions that are sampled at the same time.
    """

    tensor_parallel: PositiveInt = 1
    gpu_memory: float = Field(default=0.4, gt=0, le=1)
    cpu_cache_gib: PositiveFloat = 1.0
    concurrent: PositiveInt = 256


class ReinforcementStage(Strict):
    """Group-relative policy gradient with a step-level reward (see docs/reward.md).

    Attributes:
        steps: policy updates.
        sizes: the sizes to draw of each family, such as the harder ones; by default all sizes of the data.
        problems_per_step: groups in one update.
        draws_per_problem: groups sampled for each group of an update; those whose outcomes differ most are kept, as a
            group in which all are right, or all wrong, teaches nothing.
        samples_per_problem: rollouts in a group.
        rollouts_per_pass: rollouts in one backward pass of one process; an update gathers as many as it needs.
        outcome_weight: weight of the outcome's advantage.
        step_weight: lambda, the weight of the step-level advantage.
        length_price: kappa, how much of the outcome the longest right search loses.
        step_cost: price of every step, in units of the step advantage.
        state_weight: a, the share of the prover's value in the value of a state; the rest is progress.
        max_new_tokens: rollouts longer than this count as failed.
        seed: of the problems drawn and the rollouts; by default the recipe's.
        max_nodes: problems whose DAG has more nodes are left out, because their searches would not fit in a rollout.
        save_every: updates between two checkpoints.
        rollouts: the engine that samples.
    """

    steps: int = Field(ge=0)
    seed: int | None = Field(default=None, ge=0)
    sizes: dict[str, list[PositiveInt]] | None = Field(default=None, min_length=1)
    problems_per_step: PositiveInt = 16
    draws_per_problem: PositiveInt = 1
    samples_per_problem: int = Field(default=8, ge=2)
    rollouts_per_pass: PositiveInt = 4
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
    save_every: PositiveInt = 10
    rollouts: Rollouts = Rollouts()

    @property
    def rollouts_per_step(self) -> int:
        """The number of rollouts that one update learns from."""
        return self.problems_per_step * self.samples_per_problem

    @model_validator(mode="after")
    def _passes_are_whole(self) -> Self:
        if self.rollouts_per_step % self.rollouts_per_pass:
            raise ValueError(
                f"rollouts_per_pass {self.rollouts_per_pass} does not divide the {self.rollouts_per_step} rollouts "
                "of an update (problems_per_step x samples_per_problem)"
            )
        return self
