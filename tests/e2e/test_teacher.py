"""Our own server as the teacher: its steps cluster into a graph of places, and the traces are searches of it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.bag_of_words import save_bag_of_words

from steiner.reasoning.steps import Backtrack, Proceed, Section, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers import find_verifier
from steiner.training.data.kinds import DAGS, TRACES
from steiner.training.data.shards import read_records
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import build_dag
from steiner.training.teacher.config import TeachConfig
from steiner.training.teacher.paths import NO_WAY
from steiner.training.teacher.run import plan, teach

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]

NUM_QUESTIONS = 6
TOWN = re.compile(r"[^\W\d_]+")
PROMPT = re.compile(r"roads (.*) from (\S+) to (\S+)")


def write_questions(path: Path) -> list[str]:
    """Roads between towns; the end is what is asked for. Returns all towns."""
    towns: list[str] = []
    with path.open("w") as file:
        for number in range(NUM_QUESTIONS):
            family = FAMILIES["routes"]
            prompt = family.prompt(family.generate(random.Random(f"teacher {number}"), 4))
            match = PROMPT.fullmatch(prompt)
            assert match
            towns += TOWN.findall(match[1])
            record = {
                "id": f"q{number}",
                "question": prompt,
                "answer": match[3],
                "roads": match[1],
                "end": match[3],
            }
            file.write(json.dumps(record) + "\n")
    return towns


@pytest.fixture
def config(server: Any, tmp_path: Path) -> TeachConfig:
    towns = write_questions(tmp_path / "questions.jsonl")
    return TeachConfig.model_validate(
        {
            "name": "towns",
            "seed": 3,
            "output": tmp_path / "run",
            "questions": {"file": tmp_path / "questions.jsonl"},
            "teacher": {
                "base_url": f"{server.url}/v1",
                "model": server.model,
                "max_completion_tokens": 700,
                "steps_from": "reasoning_steps",
                "extra_body": {"reasoning": {"verifier": "auto"}},
                "concurrency": 4,
            },
            "price": {"per_million_prompt_tokens": 1, "per_million_completion_tokens": 4, "cap": 1},
            # A route is its towns; the last one is what the question calls the answer.
            "completions": {"attempts": 3, "truncations": 1, "answer_pattern": r"(\S+)$"},
            "prompts": {
                "system": "",
                "hidden": "roads {roads} from {last_step} to {end}",
                "revealed": "roads {roads} from {last_step} to {answer}",
            },
            "embeddings": {"model": save_bag_of_words(tmp_path / "embedding", towns)},
        }
    )


def step_of(number: int, record: dict[str, Any], depth: int, parent: int) -> Step:
    sections = tuple(
        Section(role=role, name=role, text=record[role], num_tokens=1)
        for role in ("understanding", "next_step", "verification", "summary")
    )
    return Step(id=number, depth=depth, parent=parent, sections=sections)


def judged(prompt: str, record: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Of each step its verdict, and the verifier's if it has one."""
    verifier = find_verifier("routes")
    done: list[Step] = []
    path = [0]
    verdicts: list[tuple[str, str | None]] = []
    for number, told in enumerate(record["steps"], 1):
        step = step_of(number, told, len(path), path[-1])
        judgement = verifier.verify(prompt, Trace(protocol="steiner", steps=tuple(done)), step)
        verdicts.append((told["verdict"], judgement.verdict if judgement else None))
        decision = Backtrack(to_depth=told["to_depth"]) if told["decision"] == "backtrack" else Proceed()
        done.append(step.model_copy(update={"verdict": told["verdict"], "decision": decision}))
        path.append(number)
        if told["to_depth"] is not None:
            del path[told["to_depth"] + 1 :]
    return verdicts


def test_a_teacher_of_our_own_yields_traces_that_the_verifier_accepts(config: TeachConfig) -> None:
    estimate = plan(config)
    assert estimate["attempt"].calls == 3 * NUM_QUESTIONS
    summary = teach(config)
    assert 0 < summary.spent <= sum(one.cost for one in estimate.values())
    folder = config.output / "data"
    traces = list(read_records(folder, TRACES))
    assert summary.with_backtracks > 0
    assert len({trace["prompt"] for trace in traces}) >= NUM_QUESTIONS // 2
    family = FAMILIES["routes"]
    for trace in traces:
        exact = build_dag(family, family.parse(trace["prompt"]))
        path = [exact.nodes[0]]
        for step, (own, exactly) in zip(trace["steps"], judged(trace["prompt"], trace), strict=True):
            if own == "verified":
                # Every step is a road, on the way and on the detours.
                path.append(exact.nodes[exact.index[step["next_step"]]])
                assert path[-1].state in family.moves(family.parse(trace["prompt"]), path[-2].state)
            elif step["verification"] != NO_WAY["en"]:
                assert exactly == "refuted"
            if step["to_depth"] is not None:
                del path[step["to_depth"] + 1 :]
        assert path[-1].is_goal
        assert all(place.is_alive for place in path)
    for dag in read_records(folder, DAGS):
        assert 1 < dag["num_nodes"] <= len(TOWN.findall(dag_prompt(config, dag["id"])))


def dag_prompt(config: TeachConfig, identity: str) -> str:
    records = map(json.loads, config.questions.file.read_text().splitlines())
    return next(str(record["question"]) for record in records if record["id"] == identity)


def test_what_was_paid_for_is_enough_without_the_teacher(config: TeachConfig) -> None:
    first = teach(config)
    files = {path: path.read_bytes() for path in (config.output / "data").rglob("*.parquet")}
    away = config.teacher.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    assert teach(config.model_copy(update={"teacher": away})) == first
    assert {path: path.read_bytes() for path in (config.output / "data").rglob("*.parquet")} == files
