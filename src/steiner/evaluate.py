"""`steiner eval`: held-out problems through a server, judged by exact checkers."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from steiner.client import ReasoningClient
from steiner.local_server import LocalServer, free_port, serve_command
from steiner.training.evals.suite import SuiteOptions, run_suite

COLUMNS = {
    "accuracy": "accuracy",
    "backtracked": "backtracked",
    "violated": "violations",
    "unfinished": "unfinished",
    "mean_steps": "steps",
    "mean_reasoning_tokens": "reasoning tokens",
}


def evaluate(
    model: Path, url: str | None, api_key: str | None, options: SuiteOptions, folder: Path
) -> dict[str, Any]:
    """Measure a running server, or one started on `model` for the purpose; print the scores and return the report.

    Raises:
        ServerFailedError: the server did not start.
        ClientError: the server cannot be reached, or refused.
    """
    port = free_port()
    with nullcontext() if url else LocalServer(serve_command(model, port), port) as server:
        if server is not None:
            server.wait_until_ready()
            url = server.url
        report = run_suite(ReasoningClient(str(url), api_key=api_key), options, folder)
    Console().print(score_table(report))
    return report


def score_table(report: dict[str, Any]) -> Table:
    """The scores of a report, one set of problems a row; shares in per cent, the rest means."""
    rows = {**report["families"], "all": report["all"]}
    rows |= {name: report[name] for name in ("no_solution", "unconstrained") if name in report}
    if "dialogues" in report:
        held = report["dialogues"]
        rows |= {f"{turn} turn": held[turn] for turn in ("first", "second")}
        rows |= {
            "second turn, answer alone": held["answer_alone"],
            "both turns in one question": held["fresh"],
        }
    table = Table("problems", "number", *COLUMNS.values())
    for name, score in rows.items():
        cells = [
            f"{score[field]:.1f}" if field.startswith("mean_") else f"{score[field]:.1%}" for field in COLUMNS
        ]
        table.add_row(name.replace("_", " "), str(score["num_problems"]), *cells)
    return table
