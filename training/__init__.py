"""The pipeline that produces the served weights: problems -> DAGs -> traces -> CPT -> SFT -> RL -> checkpoint.

- config: what a recipe may say
- problems: tasks, and the exact search of each as a DAG; traces: ways through it, as text
- data: all of these in shards; teacher: the same in natural language
- documents: records as token ids
- model, learning, rl: the model, and training it on them
- evals: how good the model is
- pipeline: the stages in order, and their curves
- planning: how much of a GPU they take

The names below are imported from their modules when they are first asked for: torch takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steiner.training.config.recipe import Recipe, RecipeError, load_recipe
    from steiner.training.data.shards import DataError, read_records
    from steiner.training.data.writing import write_data
    from steiner.training.evals.suite import run_suite
    from steiner.training.evals.suite_options import SuiteOptions
    from steiner.training.learning.teacher_forced import checkpoint_accuracy
    from steiner.training.main import teach, train
    from steiner.training.model.checkpoint import export_checkpoint, load_checkpoint, save_checkpoint
    from steiner.training.planning.memory import plan_memory
    from steiner.training.problems import FAMILIES, Family
    from steiner.training.problems.dag import Dag, build_dag
    from steiner.training.problems.held_out import HeldOutProblem, held_out_problems
    from steiner.training.random_checkpoint import write_random_checkpoint
    from steiner.training.traces.walk import sample_trace

__all__ = [
    "FAMILIES",
    "Dag",
    "DataError",
    "Family",
    "HeldOutProblem",
    "Recipe",
    "RecipeError",
    "SuiteOptions",
    "build_dag",
    "checkpoint_accuracy",
    "export_checkpoint",
    "held_out_problems",
    "load_checkpoint",
    "load_recipe",
    "plan_memory",
    "read_records",
    "run_suite",
    "sample_trace",
    "save_checkpoint",
    "teach",
    "train",
    "write_data",
    "write_random_checkpoint",
]

_MODULES = {
    "Recipe": "config.recipe",
    "RecipeError": "config.recipe",
    "load_recipe": "config.recipe",
    "DataError": "data.shards",
    "read_records": "data.shards",
    "write_data": "data.writing",
    "run_suite": "evals.suite",
    "SuiteOptions": "evals.suite_options",
    "checkpoint_accuracy": "learning.teacher_forced",
    "teach": "main",
    "train": "main",
    "export_checkpoint": "model.checkpoint",
    "load_checkpoint": "model.checkpoint",
    "save_checkpoint": "model.checkpoint",
    "plan_memory": "planning.memory",
    "FAMILIES": "problems",
    "Family": "problems",
    "Dag": "problems.dag",
    "build_dag": "problems.dag",
    "HeldOutProblem": "problems.held_out",
    "held_out_problems": "problems.held_out",
    "write_random_checkpoint": "random_checkpoint",
    "sample_trace": "traces.walk",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
