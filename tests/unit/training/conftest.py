"""Small recipes over every family, and searches sampled from them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from steiner.training.config import Recipe
from steiner.training.dags.graph import Dag
from steiner.training.dags.search import build_dag
from steiner.training.problems import FAMILIES, Family
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
