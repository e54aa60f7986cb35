"""`steiner eval`: held-out problems and published benchmarks through a server, and reports of the figures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from steiner.cli.local_server import LocalServer, free_port, serve_command
from steiner.client import ReasoningClient
from steiner.training.config.recipe import Style
from steiner.training.evals.accuracy import Outcome, StreamingClient
from steiner.training.evals.benchmarks import BenchmarkFile
from steiner.training.evals.chat_endpoint import ChatEndpoint, answer_in, instructions_for
from steiner.training.evals.compare import Paired, compare
from steiner.training.evals.harness import ChatServer, HarnessOptions, run_benchmarks
from steiner.training.evals.journal import AnswerJournal, identity_of, journal_path
from steiner.training.evals.outcome_files import read_outcomes
from steiner.training.evals.suite import run_suite
from steiner.training.evals.suite_options import SuiteOptions

COLUMNS = {
    "accuracy": "accuracy",
    "backtracked": "backtracked",
    "violated": "violations",
    "unfinished": "unfinished",
    "mean_steps": "steps",
    "mean_reasoning_tokens": "reasoning tokens",
}
NOT_MEASURED = "-"
#: More tell the same to a tenth of a per cent, and take longer than a minute on a CPU.
TEACHER_FORCED_TRACES = 200


@contextmanager
def server_of(model: Path | None, url: str | None) -> Iterator[str]:
    """The address of the server to ask: the one that runs there, or one on `model` that runs for the evaluation.

    Raises:
        ServerFailedError: the server did not start.
    """
    if url is not None or model is None:
        yield str(url)
        return
    port = free_port()
    with LocalServer(serve_command(model, port), port) as server:
        server.wait_until_ready()
        yield server.url


def evaluate(
    url: str,
    api_key: str | None,
    model: str | None,
    options: SuiteOptions,
    folder: Path,
    asked: str | None,
    identity: str,
) -> dict[str, Any]:
    """Measure a running server; print the scores and return the report.

    Answers are saved as they come. After a kill or an error, the same command asks only for the rest.

    Args:
        model: name in the requests, if the server has several.
        asked: what the command line named as the model.
        identity: what identifies the answering model, beyond its name; only its own answers are taken up.

    Raises:
        ClientError: the server cannot be reached, or refused.
        EndpointError: the same, for a server that is asked through chat completions.
    """
    client: StreamingClient
    if not options.chat:
        client = ReasoningClient(url, api_key=api_key)
    elif options.explain:
        client = ChatEndpoint(url, api_key=api_key, model=model, system=instructions_for, answer_in=answer_in)
    else:
        client = ChatEndpoint(url, api_key=api_key, model=model)
    named = None if options.chat else model
    with _kept_answers(folder, options.command(asked), str(model), identity) as journal:
        report = run_suite(client, options, folder, journal=journal, model=named, asked=asked)
    _show(score_table(report), report)
    return report


def evaluate_benchmarks(
    files: Sequence[BenchmarkFile],
    url: str,
    api_key: str | None,
    model: str | None,
    options: HarnessOptions,
    folder: Path,
    identity: str,
) -> dict[str, Any]:
    """Ask a running server published questions; print the scores and return the report.

    Args:
        identity: what identifies the answering model, beyond its name; only its own answers are taken up.

    Raises:
        BenchmarkError: lm-evaluation-harness failed.
        EndpointError: no model was named, and the server does not list any.
    """
    name = ChatEndpoint(url, api_key=api_key, model=model).model
    asked = [f"{file.benchmark.name} {file.path.absolute()} {identity_of(file.path)}" for file in files]
    with _kept_answers(folder, *asked, str(options), name, identity) as journal:
        report = run_benchmarks(files, ChatServer(url, name, api_key), options, folder, journal)
    table = Table("benchmark", "questions", "answers", "accuracy", "95 %")
    for benchmark, score in report["benchmarks"].items():
        interval = f"{score['accuracy_low']:.1%} to {score['accuracy_high']:.1%}"
        counts = (str(score["num_problems"]), str(score["num_answers"]))
        table.add_row(benchmark, *counts, f"{score['accuracy']:.1%}", interval)
    _show(table, report)
    return report


@contextmanager
def _kept_answers(folder: Path, *made_by: str) -> Iterator[AnswerJournal]:
    """The journal of an earlier run. Prints what it has, and after an error also where it is."""
    # Answers from another version of this program may have other fields.
    journal = AnswerJournal(journal_path(folder, *made_by, *Outcome.__slots__))
    if len(journal):
        Console().print(f"{len(journal)} answers are there from a run that did not end.")
    try:
        with journal:
            yield journal
    finally:
        if journal.path.exists():
            told = f"{len(journal)} answers are kept in {journal.path}; the same command goes on from there."
            Console(stderr=True, soft_wrap=True).print(told)


def _show(table: Table, report: Mapping[str, Any]) -> None:
    console = Console()
    console.print(table)
    for what, why in report.get("not_measured", {}).items():
        console.print(f"Not measured: {what}; {why}.")


def compare_runs(first: Path, second: Path) -> dict[str, Paired]:
    """Paired tests between the held-out answers of two evaluations; prints them.

    Raises:
        OutcomesError: a folder has no outcomes.
        UnpairedError: they are for different problems.
    """
    tests = compare(read_outcomes(first), read_outcomes(second))
    Console().print(comparison_table(first.name, second.name, tests))
    return tests


def evaluate_teacher_forced(
    checkpoint: Path, data: Path, style: Style, num_traces: int | None
) -> dict[str, float]:
    """Share of tokens that the checkpoint foretells given the right prefix, by kind of token; prints it.

    Raises:
        DataError: the data are not complete, or no trace fits the model's positions.
        BaseError: the base of the checkpoint's adapters is out of reach.
    """
    from steiner.training.learning.teacher_forced import checkpoint_accuracy

    accuracy = checkpoint_accuracy(checkpoint, data, style, num_traces or TEACHER_FORCED_TRACES)
    table = Table("kind of token", "accuracy")
    for kind, share in accuracy.items():
        table.add_row(kind.replace("_", " "), f"{share:.1%}")
    Console().print(table)
    return accuracy


def write_card(model: Path, runs: Path | None) -> Path:
    """Write a model's card and pictures from the reports in its `eval/`, and print where it is.

    Args:
        runs: folder of runs to gather those reports from first.

    Raises:
        EvidenceError: there are no reports.
    """
    from steiner.training.evals.evidence import FOLDER, gather
    from steiner.training.evals.model_card import write_model_card

    if runs is not None:
        Console().print(f"gathered {', '.join(gather(runs, model / FOLDER))}")
    card = write_model_card(model)
    Console().print(str(card))
    return card


def score_table(report: dict[str, Any]) -> Table:
    """The scores of a report, one row for each set of problems; shares in per cent, the rest are means."""
    rows = dict(report.get("families", {}))
    single = ("all", "no_solution", "unconstrained", "four_numbers")
    rows |= {name: report[name] for name in single if name in report}
    for language, scores in report.get("languages", {}).items():
        rows |= {f"{name}, {language}": score for name, score in scores.items()}
    for budgets in ("budgets", "verified_budgets"):
        for row in report.get(budgets, []):
            of_row = {name: score for name, score in row.items() if isinstance(score, dict)}
            rows |= {f"{name}, {budgets} {row['max_steps']}": score for name, score in of_row.items()}
    if "dialogues" in report:
        held = report["dialogues"]
        rows |= {f"{turn} turn": held[turn] for turn in ("first", "second")}
        rows |= {
            "second turn, answer alone": held["answer_alone"],
            "both turns in one question": held["fresh"],
        }
    table = Table("problems", "number", *COLUMNS.values())
    for name, score in rows.items():
        table.add_row(
            name.replace("_", " "), str(score["num_problems"]), *(_cell(score, field) for field in COLUMNS)
        )
    return table


def comparison_table(first: str, second: str, tests: Mapping[str, Paired]) -> Table:
    """One row for each set of problems; accuracies and their difference in per cent."""
    table = Table("problems", "number", first, second, "difference", "95 %", "only first", "only second", "p")
    for name, test in tests.items():
        table.add_row(
            name,
            str(test.num_problems),
            f"{test.first:.1%}",
            f"{test.second:.1%}",
            f"{test.difference:+.1%}",
            f"{test.difference_low:+.1%} to {test.difference_high:+.1%}",
            str(test.only_first),
            str(test.only_second),
            f"{test.p_value:.2g}",
        )
    table.caption = f"{next(iter(tests.values())).test} test, two-sided, not adjusted for several comparisons"
    return table


def _cell(score: Mapping[str, float], field: str) -> str:
    if field not in score:
        return NOT_MEASURED
    return f"{score[field]:.1f}" if field.startswith("mean_") else f"{score[field]:.1%}"
