"""The trace that a style teaches.

For the chain-of-thought baseline, that trace only goes forward: a straight way to a goal, and nothing that fails.
"""

import random
from typing import Any

from steiner.reasoning.tasks.base import NOT_FOUND
from steiner.training.config.recipe import Style
from steiner.training.problems.base import Family, StepContext
from steiner.training.problems.dag import Dag
from steiner.training.traces.walk import TaughtTrace, TraceStep, give_up, sample_trace


def sample_forward(family: Family[Any, Any, Any], problem: Any, dag: Dag, rng: random.Random) -> TaughtTrace:
    """A random way to a goal, worded as a search that makes no mistake; "not found" if there is no way."""
    if not dag.nodes[0].is_alive:
        return TaughtTrace((give_up(family, problem, dag.nodes[0].state, (), 0),), NOT_FOUND)
    path: list[tuple[Any, Any]] = []
    steps: list[TraceStep] = []
    index = 0
    while not dag.nodes[index].is_goal:
        state = dag.nodes[index].state
        alive = {move: end for move, end in dag.nodes[index].successors if dag.nodes[end].is_alive}
        # The family's order leaves out moves that its words leave out, such as all but the winning one of a last pair.
        move = rng.choice(family.order(problem, state, list(alive), rng))
        result, index = dag.nodes[alive[move]].state, alive[move]
        context = StepContext(problem, tuple(path), state, (), move, result, False, True, (), (result, ()))
        path.append((state, move))
        sections = family.render_step(context)
        steps.append(TraceStep(sections, "verified", "end" if dag.nodes[index].is_goal else "proceed", index))
    return TaughtTrace(tuple(steps), family.answer(problem, path))


def sample_taught(
    style: Style,
    family: Family[Any, Any, Any],
    problem: Any,
    dag: Dag,
    rng: random.Random,
    *,
    remembers: bool,
) -> TaughtTrace:
    """A straight way in the style "forward", else a search. Direct answers are also cut from a search.

    Args:
        remembers: as in `sample_trace`; a straight way has nothing to remember.
    """
    if style == "forward":
        return sample_forward(family, problem, dag, rng)
    return sample_trace(family, problem, dag, rng, remembers=remembers)
