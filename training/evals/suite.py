"""Evaluate a tiny model: held-out accuracy, the constraint on and off, and accuracy over the reasoning budget."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from steiner.reasoning.tasks.languages import LANGUAGES, Language
from steiner.training.evals.accuracy import Outcome, StreamingClient, ask_all, score
from steiner.training.evals.dialogues import (
    HeldDialogue,
    dialogue_report,
    held_out_dialogues,
    hold_all,
)
from steiner.training.evals.held_out import HeldOutProblem, held_out_problems

SIZES = {"countdown": (3,), "routes": (3, 4, 5), "knights": (3, 4, 5)}
BUDGETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MAX_COMPLETION_TOKENS = 1400


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What to measure.

    Attributes:
        per_family: solvable problems of each family.
        style: "search", or a baseline's: "forward", or "direct" for a model that answers without reasoning.
        temperature: of sampling; 0 is greedy.
        per_budget: problems of each family asked at each limit on steps; 0 leaves the sweep out.
        dialogues: two-turn dialogues of each family; 0 leaves them out.
        per_language: problems of each family asked in each language beside English; 0 leaves them out.
    """

    per_family: int = 300
    seed: int = 1
    concurrency: int = 32
    style: str = "search"
    per_budget: int = 0
    temperature: float = 0.0
    dialogues: int = 0
    per_language: int = 0


def run_suite(client: StreamingClient, options: SuiteOptions, folder: Path) -> dict[str, Any]:
    """Measure, and write `outcomes.jsonl` and `report.json` into the folder.

    Returns:
        The report: a score for each family, for its sizes, for all, without the constraint, for problems without a
        solution, and for each language and budget.
    """
    folder.mkdir(parents=True, exist_ok=True)
    problems = _of_every_family(options.per_family, options.seed)
    base: dict[str, Any] = {
        "temperature": options.temperature,
        "max_completion_tokens": MAX_COMPLETION_TOKENS,
    }
    if options.style == "direct":
        base["reasoning_effort"] = "none"
    outcomes = _ask(client, problems, base, options, "held-out")
    report: dict[str, Any] = {
        "options": asdict(options),
        "all": score(outcomes).as_json(),
        "families": _by_family(outcomes),
        "sizes": {
            family: {
                str(size): score([o for o in outcomes if (o.family, o.size) == (family, size)]).as_json()
                for size in sizes
            }
            for family, sizes in SIZES.items()
            if len(sizes) > 1
        },
    }
    if options.style == "search":
        hopeless = _of_every_family(50, options.seed, solvable=False)
        report["no_solution"] = score(_ask(client, hopeless, base, options, "no solution")).as_json()
        free = base | {"reasoning": {"constrained": False}}
        report["unconstrained"] = score(_ask(client, problems, free, options, "unconstrained")).as_json()
    if options.per_language:
        report["languages"] = {
            language: _in_language(client, base, options, language)
            for language in LANGUAGES
            if language != "en"
        }
    if options.per_budget:
        fewer = _of_every_family(options.per_budget, options.seed)
        report["budgets"] = [_at_budget(client, fewer, base, options, steps) for steps in BUDGETS]
    if options.dialogues:
        report["dialogues"] = dialogue_report(_hold(client, base, options))
    with (folder / "outcomes.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _of_every_family(
    count: int, seed: int, *, solvable: bool = True, language: Language = "en"
) -> list[HeldOutProblem]:
    return [
        problem
        for family, sizes in SIZES.items()
        for problem in held_out_problems(family, sizes, count, seed, solvable, language)
    ]


def _by_family(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    return {family: score([o for o in outcomes if o.family == family]).as_json() for family in SIZES}


def _in_language(
    client: StreamingClient, base: dict[str, Any], options: SuiteOptions, language: Language
) -> dict[str, Any]:
    problems = _of_every_family(options.per_language, options.seed, language=language)
    outcomes = _ask(client, problems, base, options, f"in {language}")
    return {"all": score(outcomes).as_json(), **_by_family(outcomes)}


def _at_budget(
    client: StreamingClient,
    problems: Sequence[HeldOutProblem],
    base: dict[str, Any],
    options: SuiteOptions,
    steps: int,
) -> dict[str, Any]:
    limited = base | {"reasoning": {"max_steps": steps}}
    outcomes = _ask(client, problems, limited, options, f"at most {steps} steps")
    return {"max_steps": steps, **_by_family(outcomes)}


def _hold(client: StreamingClient, request: dict[str, Any], options: SuiteOptions) -> list[HeldDialogue]:
    dialogues = [
        d for f, sizes in SIZES.items() for d in held_out_dialogues(f, sizes, options.dialogues, options.seed)
    ]
    with Progress() as progress:
        bar = progress.add_task(f"{'dialogues':16}", total=len(dialogues))
        return asyncio.run(
            hold_all(client, dialogues, request, options.concurrency, lambda: progress.advance(bar))
        )


def _ask(
    client: StreamingClient,
    problems: Sequence[HeldOutProblem],
    request: dict[str, Any],
    options: SuiteOptions,
    title: str,
) -> list[Outcome]:
    with Progress() as progress:
        bar = progress.add_task(f"{title:16}", total=len(problems))
        return asyncio.run(
            ask_all(client, problems, request, options.concurrency, lambda _: progress.advance(bar))
        )
