"""How long, how deep and how winding the searches of a run are, by family and size."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from transformers import PreTrainedTokenizerFast

from steiner.training.config.files import write_whole
from steiner.training.data.kinds import DAGS, DIALOGUES, TRACES, Kind, TraceRecord
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import in_batches, read_records
from steiner.training.model.tokenizer import TURN_END
from steiner.training.traces.render import render, trace_from_json
from steiner.training.traces.walk import TaughtTrace

STATISTICS = "statistics.json"
MEASURES = ("steps", "depth", "backtracks", "tokens")
"""Steps, refuted ones included; the longest live path; backtracks; tokens of the assistant's turn."""
BATCH = 2_000
Group = tuple[str, int]
"""Family and size."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How often each value of each measure occurred.

    Attributes:
        values: by measure, then by family and size.
    """

    values: dict[str, dict[Group, Counter[int]]] = field(default_factory=lambda: defaultdict(_by_group))

    def add(self, measure: str, group: Group, value: int) -> None:
        self.values[measure][group][value] += 1

    def of_family(self, measure: str, family: str) -> Counter[int]:
        """All sizes of a family."""
        return _sum(values for (name, _), values in self.values[measure].items() if name == family)

    @property
    def families(self) -> list[str]:
        return sorted({family for groups in self.values.values() for family, _ in groups})


def _by_group() -> dict[Group, Counter[int]]:
    return defaultdict(Counter)


def measure_searches(folder: Path, kind: Kind[TraceRecord], tokenizer: PreTrainedTokenizerFast) -> Measured:
    """Every measure of every search of a kind.

    Args:
        folder: the data folder of a run.
        kind: traces or dialogues.

    Raises:
        DataError: the data are not complete.
    """
    measured = Measured()
    total = read_manifest(folder)["kinds"][kind.name]["records"]
    shown = track(
        read_records(folder, kind),
        description=f"measuring {kind.name}",
        total=total,
        console=Console(stderr=True),
        disable=not total,
    )
    for records in in_batches(shown, BATCH):
        traces = [trace_from_json(record) for record in records]
        # Not verbose, because a search may be longer than what a model is trained on in one piece.
        turns = [render(trace).turn + TURN_END for trace in traces]
        encoded = tokenizer(turns, add_special_tokens=False, verbose=False)["input_ids"]
        for record, trace, token_ids in zip(records, traces, encoded, strict=True):
            group = (record["family"], record["size"])
            measured.add("steps", group, len(trace.steps))
            measured.add("depth", group, deepest(trace))
            measured.add("backtracks", group, trace.num_backtracks)
            measured.add("tokens", group, len(token_ids))
    return measured


def measure_dags(folder: Path) -> Measured:
    """The nodes of every DAG."""
    measured = Measured()
    for record in read_records(folder, DAGS, fields=("family", "size", "num_nodes")):
        measured.add("nodes", (record["family"], record["size"]), record["num_nodes"])
    return measured


def deepest(trace: TaughtTrace) -> int:
    """Steps of the longest live path of the search, including the step at its end."""
    depth = longest = 0
    for step in trace.steps:
        depth += 1
        longest = max(longest, depth)
        if isinstance(step.decision, int):
            depth = step.decision
    return longest


def write_statistics(measured: dict[str, Measured], folder: Path) -> dict[str, Any]:
    """Write the figures of each kind into the data folder, and return them: a row for each family and size, then one
    for each family, then one for all."""
    figures = {name: list(_rows(of_kind)) for name, of_kind in measured.items()}
    write_whole(folder / STATISTICS, json.dumps(figures, indent=2) + "\n")
    return figures


def measure_all(folder: Path, tokenizer: PreTrainedTokenizerFast) -> dict[str, Measured]:
    """The measures, by kind; a kind without records is left out."""
    measured = {
        TRACES.name: measure_searches(folder, TRACES, tokenizer),
        DIALOGUES.name: measure_searches(folder, DIALOGUES, tokenizer),
        DAGS.name: measure_dags(folder),
    }
    return {name: of_kind for name, of_kind in measured.items() if of_kind.values}


def _rows(measured: Measured) -> Iterator[dict[str, Any]]:
    groups = sorted({group for of_measure in measured.values.values() for group in of_measure})
    for group in groups:
        yield _row(measured, group[0], group[1], {group})
    for family in measured.families:
        yield _row(measured, family, None, {group for group in groups if group[0] == family})
    yield _row(measured, None, None, set(groups))


def _row(measured: Measured, family: str | None, size: int | None, members: set[Group]) -> dict[str, Any]:
    row: dict[str, Any] = {"family": family, "size": size, "records": 0}
    for measure, groups in measured.values.items():
        values = _sum(of_group for group, of_group in groups.items() if group in members)
        row["records"] = values.total()
        row[measure] = summary(values)
        if measure == "backtracks":
            row["with_backtracks"] = values.total() - values[0]
    return row


def summary(values: Counter[int]) -> dict[str, float]:
    """Mean, median, 95th percentile (both nearest-rank) and maximum.

    Raises:
        ValueError: there are none.
    """
    total = values.total()
    if not total:
        raise ValueError("No values to sum up.")
    return {
        "mean": round(sum(value * count for value, count in values.items()) / total, 2),
        "p50": _percentile(values, 0.5),
        "p95": _percentile(values, 0.95),
        "max": max(values),
    }


def _percentile(values: Counter[int], share: float) -> int:
    left = math.ceil(share * values.total())
    for value in sorted(values):
        left -= values[value]
        if left <= 0:
            break
    return value


def _sum(counters: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for counter in counters:
        total.update(counter)
    return total
