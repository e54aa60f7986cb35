"""Small recipes over every family, searches sampled from them, and what a teacher's run leaves behind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from hypothesis import settings

from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import TRACES, TraceRecord
from steiner.training.data.manifest import MANIFEST, describe_kind
from steiner.training.data.shards import shard_path, write_shard
from steiner.training.problems import FAMILIES, Family
from steiner.training.problems.dag import Dag, build_dag
from steiner.training.traces.render import StepRecord
from steiner.training.traces.walk import TaughtTrace, sample_trace

settings.register_profile("steiner", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("steiner")

SIZES = {"countdown": (3, 4), "routes": (2, 3, 5), "knights": (3, 4, 5)}


@dataclass(frozen=True)
class Example:
    """A problem, its DAG and one search through it."""

    family: Family[Any, Any, Any]
    problem: Any
    solvable: bool
    dag: Dag
    trace: TaughtTrace

    def __repr__(self) -> str:
        return f"<{self.family.prompt(self.problem)}>"


def draw(name: str, size: int, seed: int, solvable: bool) -> Example:
    family = FAMILIES[name]
    rng = random.Random(f"{name}/{size}/{seed}")
    problem = family.generate(rng, size, solvable)
    dag = build_dag(family, problem)
    return Example(family, problem, solvable, dag, sample_trace(family, problem, dag, rng))


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Of every family and size, solvable ones and, one in four, those without a solution."""
    return [
        draw(name, size, seed, solvable=seed % 4 != 0)
        for name in FAMILIES
        for size in SIZES.get(name, (2, 3))
        for seed in range(24)
    ]


@pytest.fixture
def recipe_of(tmp_path: Path) -> Callable[..., Recipe]:
    """A recipe over every family that writes below tmp_path; keyword arguments replace its fields."""

    def build(**changes: Any) -> Recipe:
        family = {"problems": 120, "sizes": [{"size": 3}], "drills": 20, "unsolvable": 0.1, "dialogues": 4}
        fields: dict[str, Any] = {
            "name": "test",
            "seed": 5,
            "output": tmp_path / "run",
            "threads": 1,
            "model": {"width": 16, "layers": 1, "heads": 2, "ffn_width": 16, "max_positions": 1024},
            "data": dict.fromkeys(FAMILIES, family),
            "sft": {"tokens": 1000},
        }
        return Recipe.model_validate(fields | changes)

    return build


@pytest.fixture
def write_teacher_run(tmp_path: Path) -> Callable[..., Path]:
    """Write what `steiner teach` leaves behind: these traces and the manifest; gives the run's `output`."""

    def write(name: str, traces: Sequence[TraceRecord]) -> Path:
        data = tmp_path / name / "data"
        write_shard(shard_path(data, TRACES, 0), TRACES, traces)
        manifest = {"kinds": {TRACES.name: describe_kind(data, TRACES)}}
        (data / MANIFEST).write_text(json.dumps(manifest))
        return data.parent

    return write


@pytest.fixture
def teacher_trace() -> Callable[..., TraceRecord]:
    """A trace of two steps about a question of no family; keyword arguments replace its fields."""

    def build(**changes: Any) -> TraceRecord:
        def step(text: str, decision: Literal["backtrack", "end"]) -> StepRecord:
            return {
                "understanding": "four pigs and a hen",
                "next_step": text,
                "verification": "legs: 4 and 2",
                "verdict": "refuted" if decision == "backtrack" else "verified",
                "summary": text,
                "decision": decision,
                "to_depth": 0 if decision == "backtrack" else None,
                "node": 1,
            }

        record: TraceRecord = {
            "id": "q1-0",
            "family": "school",
            "language": "en",
            "size": 1,
            "prompt": "How many legs have four pigs and a hen?",
            "guess": "18",
            "folded": False,
            "steps": [step("five times four is 20", "backtrack"), step("16 and 2 is 18", "end")],
            "answer": "18",
        }
        return cast(TraceRecord, record | changes)

    return build
