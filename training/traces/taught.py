"""The trace that a style teaches."""

import random
from typing import Any

from steiner.training.config import Style
from steiner.training.dags.graph import Dag
from steiner.training.problems.base import Family
from steiner.training.traces.forward import sample_forward
from steiner.training.traces.walk import TaughtTrace, sample_trace


def sample_taught(
    style: Style,
    family: Family[Any, Any, Any],
    problem: Any,
    dag: Dag,
    rng: random.Random,
    *,
    remembers: bool,
) -> TaughtTrace:
    """A straight way in the style "forward", else a search; direct answers are cut off one, too.

    Args:
        remembers: as in `sample_trace`; a straight way has nothing to remember.
    """
    if style == "forward":
        return sample_forward(family, problem, dag, rng)
    return sample_trace(family, problem, dag, rng, remembers=remembers)
