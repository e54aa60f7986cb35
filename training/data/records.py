"""What is made from a problem: its DAG, searches through it, drills; and dialogues, which draw their own problems.

Every record draws from its own random stream, named by the recipe's seed, the family and the record's number. So it is
the same whichever process makes it, and whatever else is made.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from steiner.reasoning.tasks.languages import in_language
from steiner.training.config.recipe import Recipe, record_stream
from steiner.training.data.dialogues import dialogue_record
from steiner.training.data.kinds import (
    DAGS,
    DIALOGUES,
    DRILLS,
    TRACES,
    DagNode,
    DagRecord,
    DrillRecord,
    ProblemRecord,
    TraceRecord,
)
from steiner.training.data.shards import DataError
from steiner.training.problems import FAMILIES
from steiner.training.problems.dag import Dag, StateSpaceTooLargeError, build_dag
from steiner.training.traces.forward import sample_taught
from steiner.training.traces.render import sections_text, trace_to_json

DRILLS_PER_DOCUMENT = 6


@dataclass(frozen=True, slots=True)
class Source:
    """What one record is made from.

    Attributes:
        number: of the record among those of its problem; if it has none or shares it in turn, among its family's.
        problem: a training problem; None for dialogues.
    """

    family: str
    number: int
    problem: ProblemRecord | None = None

    @property
    def given(self) -> ProblemRecord:
        """The problem of a record that has one."""
        if self.problem is None:
            raise ValueError(f"Record {self.number} of {self.family} has no problem.")
        return self.problem


def _dags(recipe: Recipe, sources: Iterable[Source]) -> Iterator[DagRecord]:
    for source in sources:
        record, family = source.given, FAMILIES[source.family]
        try:
            nodes = _nodes(build_dag(family, family.from_json(record["problem"])))
        except StateSpaceTooLargeError as error:
            raise DataError(
                f"data.{source.family}.sizes: {record['size']} is too large: {record['prompt']!r}: {error}"
            ) from error
        yield {
            "id": record["id"],
            "family": record["family"],
            "size": record["size"],
            "num_nodes": len(nodes),
            "nodes": nodes,
        }


def _nodes(dag: Dag) -> list[DagNode]:
    return [
        {
            "state": json.dumps(node.state, separators=(",", ":")),
            "to": [end for _, end in node.successors],
            "in": node.num_incoming,
            "depth": node.depth,
            "distance": node.distance,
        }
        for node in dag.nodes
    ]


def _traces(recipe: Recipe, sources: Iterable[Source]) -> Iterator[TraceRecord]:
    explored, dag = "", None
    for source in sources:
        record, number = source.given, source.number
        family = FAMILIES[record["family"]]
        problem = family.from_json(record["problem"])
        if dag is None or explored != record["id"]:
            explored, dag = record["id"], build_dag(family, problem)
        share = recipe.data[record["family"]].folded_share(record["size"])
        rng = record_stream(recipe, "trace", record["id"], number)
        folded = record_stream(recipe, "folded", record["id"], number).random() < share
        trace = sample_taught(recipe.style, family, problem, dag, rng, remembers=not folded)
        # What a search that was cut short should answer: any right answer, not only the one it would have found.
        guess = family.direct_answer(problem, rng) if record["solvable"] else trace.answer
        yield {
            "id": f"{record['id']}-{number}",
            "family": record["family"],
            "language": record["language"],
            "size": record["size"],
            "prompt": record["prompt"],
            "guess": in_language(guess, record["language"]),
            "folded": folded,
            **trace_to_json(trace.told_in(record["language"])),
        }


def _drills(recipe: Recipe, sources: Iterable[Source]) -> Iterator[DrillRecord]:
    for source in sources:
        record, name, number = source.given, source.family, source.number
        family = FAMILIES[name]
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
            "size": record["size"],
            "prompt": record["prompt"],
            "text": text,
        }


RECORDS_OF: dict[str, Callable[[Recipe, Iterable[Source]], Iterator[Any]]] = {
    DAGS.name: _dags,
    TRACES.name: _traces,
    DRILLS.name: _drills,
    DIALOGUES.name: lambda recipe, sources: (dialogue_record(recipe, s.family, s.number) for s in sources),
}
"""Functions that make records, by the name of their kind."""
