"""The traces of the `steiner teach` runs that a recipe names: checked, identified, and read one by one."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from steiner.reasoning.tasks.dialogue import problem_of_dialogue
from steiner.training.data.kinds import TRACES, TraceRecord
from steiner.training.data.manifest import is_complete, read_manifest
from steiner.training.data.shards import DataError, read_records
from steiner.training.problems import FAMILIES
from steiner.training.problems.held_out import is_held_out


class DescribedTraces(TypedDict):
    """How many traces a run has, and the hash over those of its shards."""

    records: int
    sha256: str


def describe_teacher_runs(runs: Sequence[Path]) -> list[DescribedTraces]:
    """What the manifest of each run says, in order; the place of the folders does not matter.

    Raises:
        DataError: a folder holds no finished run.
    """
    described: list[DescribedTraces] = []
    for run in runs:
        if not is_complete(_data_of(run)):
            raise DataError(
                f"teacher_runs: {run} holds no finished run. Name the `output` of a configuration of "
                "`steiner teach`, and run that to its end."
            )
        traces = read_manifest(_data_of(run))["kinds"][TRACES.name]
        described.append({"records": traces["records"], "sha256": traces["sha256"]})
    return described


def read_teacher_traces(runs: Sequence[Path]) -> Iterator[TraceRecord]:
    """The traces of every run, except those that solve a held-out problem of a task family.

    Raises:
        DataError: a shard cannot be read.
    """
    for run in runs:
        for trace in read_records(_data_of(run), TRACES):
            if not _asks_held_out(trace["prompt"]):
                yield trace


def _data_of(run: Path) -> Path:
    return run / "data"


@lru_cache(maxsize=1)
def _asks_held_out(prompt: str) -> bool:
    """Whether the question states a problem that no training may see. The traces of a question come together."""
    for family in FAMILIES.values():
        problem = problem_of_dialogue(family, prompt)
        if problem is not None and is_held_out(family.canonical(problem)):
            return True
    return False
