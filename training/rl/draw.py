"""Which problems an update draws, with which seeds, and which of the sampled groups it learns from."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steiner.training.config.reinforcement import ReinforcementStage
from steiner.training.data.kinds import DAGS, PROBLEMS, ProblemRecord
from steiner.training.data.shards import read_records


@dataclass(frozen=True, slots=True)
class Draw:
    """What one update samples.

    Attributes:
        seeds: for each problem those of its rollouts.
    """

    problems: list[ProblemRecord]
    seeds: list[list[int]]


def drawn_problems(data: Path, stage: ReinforcementStage) -> list[ProblemRecord]:
    """The problems that updates draw from: those of the wanted sizes with DAGs that fit in a rollout."""
    sizes = read_records(data, DAGS, fields=("id", "num_nodes"))
    fitting = {record["id"] for record in sizes if record["num_nodes"] <= stage.max_nodes}
    return [
        record
        for record in read_records(data, PROBLEMS)
        if record["id"] in fitting
        and (stage.sizes is None or record["size"] in stage.sizes.get(record["family"], ()))
    ]


def draw(problems: Sequence[ProblemRecord], stage: ReinforcementStage, seed: int, step: int) -> Draw:
    """An update's problems and seeds, which depend only on the step, so a resumed run draws what it would have drawn.

    Args:
        seed: of the run.
        step: number of the update, from 0.

    Raises:
        ValueError: there are fewer problems than an update draws.
    """
    wanted = stage.problems_per_step * stage.draws_per_problem
    if len(problems) < wanted:
        raise ValueError(
            f"An update draws {wanted} problems (rl.problems_per_step x rl.draws_per_problem), and {len(problems)} "
            "are there: make more, or raise rl.max_nodes."
        )
    rng = random.Random(f"{seed}/rl/{step}")
    chosen = rng.sample(problems, wanted)
    return Draw(chosen, [[rng.getrandbits(31) for _ in range(stage.samples_per_problem)] for _ in chosen])


def most_spread(outcomes: Sequence[Sequence[float]], count: int) -> list[int]:
    """Indices of the `count` groups whose outcomes differ most, in the order drawn (DAPO, arXiv 2503.14476, keeps those
    that differ at all and draws until there are enough; here the number drawn is fixed, so that updates cost alike)."""
    spread = [statistics.pvariance(of_group) for of_group in outcomes]
    # Sorting is stable, so of groups that differ equally the first drawn stay.
    return sorted(sorted(range(len(spread)), key=lambda index: -spread[index])[:count])
