"""Evaluate a model: held-out accuracy, the constraint on and off, and accuracy over the reasoning budget."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from steiner.reasoning.tasks.languages import LANGUAGES, Language
from steiner.training.evals.accuracy import Outcome, StreamingClient, ask_all
from steiner.training.evals.compare import budget_report, compare
from steiner.training.evals.dialogues import HeldDialogue, dialogue_report, held_out_dialogues, hold_all
from steiner.training.evals.journal import AnswerJournal
from steiner.training.evals.outcome_files import write_outcomes
from steiner.training.evals.score import score
from steiner.training.evals.suite_options import SuiteOptions
from steiner.training.problems.held_out import HeldOutProblem, held_out_problems

PARTS = 10

SIZES = {"countdown": (3,), "routes": (3, 4, 5), "knights": (3, 4, 5)}
BUDGETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MAX_WITHOUT_SOLUTION = 50
"""Problems without a solution in each family; no more than of those that have one."""
LONG_SEARCH = {"memory": True, "max_steps": 2000, "max_backtracks": 2000}
"""Countdown with four numbers takes up to 250 steps, and was taught with abandoned branches folded away."""
NOT_TOLD = {
    "steps, backtracks, verdicts, violations": "a chat completion does not tell steps",
    "unconstrained decoding, budgets, the exact verifier, dialogues": "these are options of a Steiner server",
}


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields a function to call as each of `total` is done."""
    console = Console()
    if console.is_terminal:
        with Progress(console=console) as progress:
            bar = progress.add_task(f"{what:20}", total=total)
            yield lambda: progress.advance(bar)
        return
    begin_s, done = time.monotonic(), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * PARTS // total > (done - 1) * PARTS // total:
            console.print(
                f"{what}: {done} of {total} after {time.monotonic() - begin_s:.0f} s", soft_wrap=True
            )

    yield advance


class Suite:
    """One evaluation of one model; what it asked is kept in `outcomes`."""

    def __init__(
        self,
        client: StreamingClient,
        options: SuiteOptions,
        model: str | None = None,
        journal: AnswerJournal | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            model: name in the requests, if the server has several.
            journal: keeps the answers as they come; those that it already has are not asked for again.
        """
        self.options = options
        self.outcomes: list[Outcome] = []
        self._client = client
        self._journal = journal
        self._request: dict[str, Any] = {
            "temperature": options.temperature,
            "max_completion_tokens": options.max_tokens,
        }
        self._sizes = {family: SIZES[family] for family in options.families or SIZES}
        if model is not None:
            self._request["model"] = model
        if options.style == "direct":
            self._request["reasoning_effort"] = "none"

    def run(self) -> dict[str, Any]:
        """Ask everything that the options name.

        Returns:
            The report: a score for each family, for its sizes, for all, without the constraint, for problems without a
            solution, and for each language and budget.
        """
        options = self.options
        report: dict[str, Any] = {"options": asdict(options)}
        if options.per_family:
            report |= self._families()
        if options.chat:
            report["not_measured"] = NOT_TOLD
        if options.per_language:
            report["languages"] = {
                language: self._in_language(language) for language in LANGUAGES if language != "en"
            }
        if options.four_numbers:
            report["four_numbers"] = self._score(self._four_numbers())
        if options.per_budget:
            report |= self._budgets()
        if options.dialogues:
            report["dialogues"] = dialogue_report(self._hold())
        return report

    def _families(self) -> dict[str, Any]:
        """The held-out problems, and how a search model does in other circumstances."""
        options = self.options
        problems = self._problems(options.per_family)
        outcomes = self._ask(problems, "held-out")
        scores: dict[str, Any] = {
            "all": self._score(outcomes),
            "families": self._by_family(outcomes),
            "sizes": self._by_size(outcomes),
        }
        if options.sampling_seeds:
            scores["seeds"] = self._by_seed(outcomes)
        if options.style != "search" or options.only_held_out:
            return scores
        hopeless = self._problems(min(options.per_family, MAX_WITHOUT_SOLUTION), solvable=False)
        scores["no_solution"] = self._score(self._ask(hopeless, "no solution"))
        if not options.chat:
            free = self._ask(problems, "unconstrained", {"constrained": False})
            scores["unconstrained"] = self._score(free)
            scores["constraint"] = {f: paired.as_json() for f, paired in compare(outcomes, free).items()}
        return scores

    def _problems(
        self, count: int, *, solvable: bool = True, language: Language = "en"
    ) -> list[HeldOutProblem]:
        """`count` of each family."""
        return [
            problem
            for family, sizes in self._sizes.items()
            for problem in held_out_problems(family, sizes, count, self.options.seed, solvable, language)
        ]

    def _score(self, outcomes: Sequence[Outcome]) -> dict[str, float]:
        return score(outcomes, typed_steps=not self.options.chat).as_json()

    def _by_family(self, outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
        return {family: self._score([o for o in outcomes if o.family == family]) for family in self._sizes}

    def _by_size(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        return {
            family: {
                str(size): self._score([o for o in outcomes if (o.family, o.size) == (family, size)])
                for size in sizes
                if any((o.family, o.size) == (family, size) for o in outcomes)
            }
            for family, sizes in self._sizes.items()
            if len(sizes) > 1
        }

    def _by_seed(self, outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
        """Accuracy of each single seed, which shows how far samples spread."""
        shares: dict[str, dict[str, float]] = {}
        for seed in self.options.sampling_seeds:
            those = [o for o in outcomes if o.sampling_seed == seed]
            scores = {**self._by_family(those), "all": self._score(those)}
            shares[str(seed)] = {name: scored["accuracy"] for name, scored in scores.items()}
        return shares

    def _in_language(self, language: Language) -> dict[str, Any]:
        problems = self._problems(self.options.per_language, language=language)
        outcomes = self._ask(problems, f"in {language}")
        return {"all": self._score(outcomes), **self._by_family(outcomes)}

    def _four_numbers(self) -> list[Outcome]:
        problems = held_out_problems("countdown", (4,), self.options.four_numbers, self.options.seed)
        if self.options.style != "search":
            return self._ask(problems, "four numbers")
        request = {name: value for name, value in self._request.items() if name != "max_completion_tokens"}
        return self._ask(problems, "four numbers", LONG_SEARCH, request)

    def _budgets(self) -> dict[str, Any]:
        """Accuracy at each limit on steps, with the model's own verdicts and with the exact verifier's."""
        problems = self._problems(self.options.per_budget)
        return {
            "budgets": budget_report(self._sweep(problems, "{} steps", {})),
            "verified_budgets": budget_report(
                self._sweep(problems, "{} steps, verified", {"verifier": "auto"})
            ),
        }

    def _sweep(
        self, problems: Sequence[HeldOutProblem], condition: str, reasoning: dict[str, Any]
    ) -> dict[int, list[Outcome]]:
        """Outcomes at each limit on steps.

        A greedy search that ended by itself is the same search under any larger limit, and is not asked for again.
        """
        by_steps: dict[int, list[Outcome]] = {}
        ended: dict[tuple[str, str], Outcome] = {}
        for steps in BUDGETS:
            named = condition.format(steps)
            left = [problem for problem in problems if (problem.family, problem.prompt) not in ended]
            asked = self._ask(left, named, {"max_steps": steps, **reasoning}) if left else []
            again = [replace(outcome, condition=named) for outcome in ended.values()]
            self.outcomes += again
            by_steps[steps] = [*asked, *again]
            if self.options.temperature == 0:
                ended |= {(o.family, o.prompt): o for o in asked if o.ended_by == "model"}
        return by_steps

    def _hold(self) -> list[HeldDialogue]:
        options = self.options
        dialogues = [
            d
            for f, sizes in self._sizes.items()
            for d in held_out_dialogues(f, sizes, options.dialogues, options.seed)
        ]
        with counted("dialogues", len(dialogues)) as advance:
            return asyncio.run(
                hold_all(self._client, dialogues, self._request, options.concurrency, advance, self._journal)
            )

    def _ask(
        self,
        problems: Sequence[HeldOutProblem],
        condition: str,
        reasoning: dict[str, Any] | None = None,
        request: dict[str, Any] | None = None,
    ) -> list[Outcome]:
        seeds = self.options.sampling_seeds
        fields = dict(self._request if request is None else request)
        if reasoning is not None:
            fields["reasoning"] = reasoning
        with counted(condition, len(problems) * max(1, len(seeds))) as advance:
            outcomes = asyncio.run(
                ask_all(
                    self._client,
                    problems,
                    fields,
                    self.options.concurrency,
                    lambda _: advance(),
                    condition=condition,
                    sampling_seeds=seeds,
                    journal=self._journal,
                )
            )
        self.outcomes += outcomes
        return outcomes


def run_suite(
    client: StreamingClient,
    options: SuiteOptions,
    folder: Path,
    *,
    journal: AnswerJournal | None = None,
    model: str | None = None,
    asked: str | None = None,
) -> dict[str, Any]:
    """Measure, and write `outcomes.jsonl` and `report.json` into the folder.

    Args:
        journal: what an earlier run of the same command has already asked.
        model: name in the requests, if the server has several.
        asked: what the command line named as the model; the report's command repeats it.

    Returns:
        The report of `Suite.run`, and the command that makes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suite = Suite(client, options, model, journal)
    report = {"command": options.command(asked), **suite.run()}
    write_outcomes(suite.outcomes, folder / "outcomes.jsonl")
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
