"""The reports that a model card is made from: gathered from the folders of runs, and kept with the weights.

Each run of `steiner eval` has its report under a name in `RUNS`. What needs single answers (paired tests, best-of-n) is
worked out while gathering, because there are too many answers to keep.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steiner.reasoning.errors import SteinerError
from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.best_of import best_of_report
from steiner.training.evals.compare import compare
from steiner.training.evals.outcome_files import read_outcomes

RUNS = {
    "greedy": "the model, greedily",
    "sampled": "the model, at temperature 1 with several seeds",
    "constraint-sampled": "the same without the grammar, too",
    "budgets": "accuracy over the limit on steps",
    "direct": "a model that answers directly, greedily",
    "forward": "a model whose reasoning only goes forward, greedily",
    "direct-samples": "the direct model, many samples",
    "forward-samples": "the forward model, many samples",
    "cpt": "the checkpoint after continual pre-training",
    "sft": "the checkpoint after fine-tuning",
    "sft-sampled": "the same at temperature 1",
    "countdown-cpt": "Countdown alone, a tenth of the tokens pre-training",
    "countdown-no-cpt": "as many tokens, all of them fine-tuning",
    "languages": "the families in other languages",
    "dialogues": "dialogues of two turns",
    "four-numbers": "Countdown with four numbers",
    "four-numbers-direct": "the same, the direct model",
    "four-numbers-forward": "the same, the forward model",
}
"""Runs by the name of their folder."""
PAIRS = (
    ("greedy", "direct", "held-out"),
    ("greedy", "forward", "held-out"),
    ("sampled", "direct-samples", "held-out"),
    ("sampled", "forward-samples", "held-out"),
    ("sft", "cpt", "held-out"),
    ("greedy", "sft", "held-out"),
    ("sampled", "sft-sampled", "held-out"),
    ("countdown-cpt", "countdown-no-cpt", "held-out"),
    ("four-numbers", "four-numbers-direct", "four numbers"),
    ("four-numbers", "four-numbers-forward", "four numbers"),
)
"""Runs that are compared on the same problems, and under which condition they were asked."""
COMPARISONS, BEST_OF = "comparisons", "best-of"
FOLDER = "eval"


class EvidenceError(SteinerError):
    """There is nothing to make a card from; the message says which commands make the reports."""


def gather(runs: Path, folder: Path) -> list[str]:
    """Write the reports of the existing runs, and what follows from them, into a folder; returns their names.

    Raises:
        EvidenceError: none of the runs exists.
        UnpairedError: two runs to be compared have no problem in common.
    """
    there = [name for name in RUNS if (runs / name / "report.json").exists()]
    if not there:
        raise EvidenceError(
            f"{runs} has none of the runs {', '.join(RUNS)}; "
            f"`steiner eval --per-family 500 --output {runs}/greedy` makes the first."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in there:
        _write(folder / f"{name}.json", json.loads((runs / name / "report.json").read_text(encoding="utf-8")))
    compared = {
        f"{first}, {second}": {
            family: paired.as_json()
            for family, paired in compare(
                *_on_common_problems(
                    read_outcomes(runs / first, condition), read_outcomes(runs / second, condition)
                )
            ).items()
        }
        for first, second, condition in PAIRS
        if {first, second} <= set(there)
    }
    made = there
    if compared:
        _write(folder / f"{COMPARISONS}.json", compared)
        made = [*made, COMPARISONS]
    samples = {style: f"{style}-samples" for style in ("direct", "forward") if f"{style}-samples" in there}
    if samples and {"greedy", "sampled"} <= set(there):
        baselines = {style: read_outcomes(runs / name) for style, name in samples.items()}
        several = [read_outcomes(runs / "greedy"), read_outcomes(runs / "sampled"), *baselines.values()]
        greedy, sampled, *others = _on_common_problems(*several)
        report = best_of_report(greedy, sampled, dict(zip(baselines, others, strict=True)))
        _write(folder / f"{BEST_OF}.json", report)
        made = [*made, BEST_OF]
    return made


def _on_common_problems(*runs: Sequence[Outcome]) -> list[list[Outcome]]:
    """The answers to problems that every run was asked. The same seed draws the same ones, and some runs have more."""
    asked = [{(outcome.family, outcome.prompt) for outcome in outcomes} for outcomes in runs]
    common = set.intersection(*asked)
    return [[o for o in outcomes if (o.family, o.prompt) in common] for outcomes in runs]


def read_evidence(folder: Path) -> dict[str, Any]:
    """What `gather` wrote, by name.

    Raises:
        EvidenceError: there is no greedy run, which every card needs.
    """
    names = [*RUNS, COMPARISONS, BEST_OF]
    there = {name: folder / f"{name}.json" for name in names if (folder / f"{name}.json").exists()}
    if "greedy" not in there:
        raise EvidenceError(
            f"{folder}/greedy.json is missing; `steiner eval --report MODEL --runs RUNS` gathers it from RUNS/greedy."
        )
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in there.items()}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
