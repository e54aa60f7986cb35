"""The data stages: problems -> DAGs -> traces, each a JSON Lines file that a person can open.

Every record draws from its own random stream, seeded by the recipe's seed, the family and the record's index, so that
a file is byte-identical for a seed however often the work was interrupted.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.progress import track

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.languages import in_language
from steiner.training.config import Recipe
from steiner.training.dags.graph import Dag
from steiner.training.dags.search import build_dag
from steiner.training.dialogues import draw_dialogues
from steiner.training.problems import FAMILIES
from steiner.training.problems.split import is_held_out
from steiner.training.seeding import record_stream
from steiner.training.traces.forward import sample_forward
from steiner.training.traces.render import sections_text, trace_to_json
from steiner.training.traces.walk import sample_trace

PROBLEMS, DAGS, TRACES, DRILLS = "problems.jsonl", "dags.jsonl", "traces.jsonl", "drills.jsonl"
DIALOGUES = "dialogues.jsonl"
DRILLS_PER_DOCUMENT = 6
MAX_REPEATS = 10_000
"""Problems drawn in a row that were all there before, until a family counts as exhausted."""


class DataError(SteinerError):
    """The recipe asks for data that cannot be made; the message names the field to change."""


def write_data(recipe: Recipe) -> dict[str, int]:
    """Write the data files of a recipe, those that are not there yet.

    Returns:
        Records by file name.

    Raises:
        DataError: a family has fewer different problems than asked for, or none to train on.
    """
    folder = recipe.output / "data"
    folder.mkdir(parents=True, exist_ok=True)
    stages: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        PROBLEMS: lambda: _problems(recipe),
        DAGS: lambda: _dags(read_records(folder / PROBLEMS)),
        TRACES: lambda: _traces(recipe, read_records(folder / PROBLEMS)),
        DRILLS: lambda: _drills(recipe, read_records(folder / PROBLEMS)),
        DIALOGUES: lambda: draw_dialogues(recipe),
    }
    return {name: _write_once(folder / name, records) for name, records in stages.items()}


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _write_once(path: Path, records: Callable[[], Iterable[dict[str, Any]]]) -> int:
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as out:
            for record in track(records(), description=f"{path.name:16}", total=None):
                out.write(json.dumps(record, separators=(",", ":")) + "\n")
        # The final name appears at once and whole, so that a killed stage starts over rather than going on from half.
        partial.replace(path)
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def _problems(recipe: Recipe) -> Iterator[dict[str, Any]]:
    for name, data in recipe.data.items():
        family = FAMILIES[name]
        told: set[str] = set()
        index = repeats = 0
        while len(told) < data.problems:
            rng = record_stream(recipe, "problem", name, index)
            index += 1
            solvable = rng.random() >= data.unsolvable
            size = data.draw_size(rng)
            problem = family.generate(rng, size, solvable)
            fields = family.to_json(problem)
            identity = f"{family.canonical(problem)} {fields.get('target', '')}"
            if identity in told:
                repeats += 1
                if repeats == MAX_REPEATS:
                    raise DataError(
                        f"data.{name}: no more than {len(told)} different problems of these sizes were found, "
                        f"problems asks for {data.problems}; lower it or add sizes."
                    )
                continue
            repeats = 0
            told.add(identity)
            language = recipe.draw_language(record_stream(recipe, "language", name, len(told) - 1))
            yield {
                "id": f"{name}-{len(told) - 1}",
                "family": name,
                "language": language,
                "size": size,
                "split": "held_out" if is_held_out(family.canonical(problem)) else "train",
                "solvable": solvable,
                "prompt": in_language(family.prompt(problem), language),
                "problem": fields,
            }


def _dags(problems: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in problems:
        if record["split"] == "train":
            family = FAMILIES[record["family"]]
            yield {
                "id": record["id"],
                "nodes": _nodes(build_dag(family, family.from_json(record["problem"]))),
            }


def _nodes(dag: Dag) -> list[dict[str, Any]]:
    return [
        {
            "state": node.state,
            "to": [end for _, end in node.successors],
            "in": node.num_incoming,
            "depth": node.depth,
            "distance": node.distance,
        }
        for node in dag.nodes
    ]


def _traces(recipe: Recipe, problems: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in problems:
        if record["split"] != "train":
            continue
        family = FAMILIES[record["family"]]
        problem = family.from_json(record["problem"])
        dag = build_dag(family, problem)
        described = recipe.data[record["family"]]
        share = described.folded_share(record["size"])
        for number in range(described.traces_per_problem):
            rng = record_stream(recipe, "trace", record["id"], number)
            folded = record_stream(recipe, "folded", record["id"], number).random() < share
            if recipe.style == "forward":
                trace = sample_forward(family, problem, dag, rng)
            else:
                trace = sample_trace(family, problem, dag, rng, remembers=not folded)
            # What a search that was cut short should answer: any right answer, not always the one it would have found.
            guess = family.direct_answer(problem, rng) if record["solvable"] else trace.answer
            yield {
                "id": f"{record['id']}-{number}",
                "family": record["family"],
                "language": record["language"],
                "prompt": record["prompt"],
                "guess": in_language(guess, record["language"]),
                "folded": folded,
                **trace_to_json(trace.told_in(record["language"])),
            }


def _drills(recipe: Recipe, problems: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    wanted = {name: data.drills for name, data in recipe.data.items()}
    training = [record for record in problems if record["split"] == "train"]
    for name, count in wanted.items():
        family = FAMILIES[name]
        of_family = [record for record in training if record["family"] == name]
        if count and not of_family:
            raise DataError(
                f"data.{name}: every problem is held out, nothing is left to train on; raise problems."
            )
        for number in range(count):
            record = of_family[number % len(of_family)]
            exercises = family.drills(
                family.from_json(record["problem"]), record_stream(recipe, "drill", name, number)
            )
            text = "".join(
                sections_text(s.told_in(record["language"]), v)
                for (v, s), _ in zip(exercises, range(DRILLS_PER_DOCUMENT), strict=False)
            )
            yield {
                "id": f"{name}-drill-{number}",
                "family": name,
                "language": record["language"],
                "prompt": record["prompt"],
                "text": text,
            }
