"""Outcomes as files: one JSON object on each line, as `steiner eval` writes them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from steiner.reasoning.errors import SteinerError
from steiner.training.evals.accuracy import Outcome

FILE = "outcomes.jsonl"


class OutcomesError(SteinerError):
    """A folder without outcomes, or outcomes of another version; the message says which command makes them."""


def write_outcomes(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write them in their order."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(asdict(outcome), ensure_ascii=False) + "\n" for outcome in outcomes)


def read_outcomes(folder: Path, condition: str | None = "held-out") -> list[Outcome]:
    """The outcomes of one condition, in their order; of all if it is None.

    Raises:
        OutcomesError: there are none, or a line is not an outcome.
    """
    path = folder / FILE
    known = {field.name for field in fields(Outcome)}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        said = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise OutcomesError(
            f"{path} cannot be read ({error}); `steiner eval --output {folder}` makes it."
        ) from error
    for number, one in enumerate(said, start=1):
        if not isinstance(one, dict) or not {"family", "size", "prompt"} <= one.keys() <= known:
            raise OutcomesError(f"{path}, line {number} is not an outcome of this version of `steiner eval`.")
    outcomes = [Outcome(**one) for one in said]
    kept = [outcome for outcome in outcomes if condition in (None, outcome.condition)]
    if not kept:
        told = sorted({outcome.condition for outcome in outcomes})
        raise OutcomesError(f"{path} has no outcomes of {condition!r}; it has {told}.")
    return kept
