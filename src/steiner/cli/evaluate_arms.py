"""`steiner eval --arms`: the same published questions, free, with the protocol's prompt, and under its grammar."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from steiner.cli.evaluate import kept_answers
from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.arms import MAX_TOKENS, ArmOptions, ArmsError, read_arms, run_arms
from steiner.training.evals.chat_endpoint import ChatEndpoint
from steiner.training.evals.harness import HarnessOptions
from steiner.training.evals.published_questions import PublishedQuestion, QuestionsError, read_questions

OWNER = "steiner"
"""What our server says of its models."""
PROMPT = "protocol_prompts/en.txt"
NOT_TOLD = "-"


@dataclass(frozen=True, slots=True)
class ArmsRun:
    """What is asked, and how.

    Attributes:
        prompt: the system message of the arm `prompted`; empty if that is not asked.
    """

    arms: tuple[str, ...]
    questions: Sequence[PublishedQuestion]
    prompt: str
    how: HarnessOptions


def read_run(
    arms: str, benchmarks: Sequence[str], prompt: Path | None, how: HarnessOptions, seed: int
) -> ArmsRun:
    """A run as it is typed.

    Args:
        benchmarks: NAME=FILE each.
        prompt: a file with the system message of `prompted`; the prompt of protocol outline if None.
        seed: which questions are drawn, if not all are asked.

    Raises:
        ArmsError: an unknown arm, or no prompt for it.
        QuestionsError: there are no questions, or a file is not as published.
    """
    chosen = read_arms(arms)
    if not benchmarks:
        raise QuestionsError("--arms asks published questions: add --benchmark gsm8k=FILE or bbh=FILE.")
    questions = read_questions(benchmarks, how.limit, seed)
    return ArmsRun(chosen, questions, _prompt(prompt) if "prompted" in chosen else "", how)


def evaluate_arms(
    run: ArmsRun, url: str, api_key: str | None, model: str | None, output: Path, identity: str
) -> dict[str, Any]:
    """Ask a running server in every arm; print the figures and return the report.

    Answers are kept as they come. After a kill or an error, the same command asks only for the rest.

    Args:
        identity: what identifies the answering model, beyond its name.

    Raises:
        ArmsError: the server can do no `constrained` arm.
        EndpointError: it cannot be reached, or refused.
    """
    server = ChatEndpoint(url, api_key=api_key, model=model)
    name = server.model
    options = ArmOptions(
        arms=run.arms,
        prompt=run.prompt,
        tells_effort=server.is_owned_by(OWNER),
        temperature=run.how.temperature,
        seeds=run.how.seeds,
        concurrency=run.how.concurrency,
        max_tokens=run.how.max_tokens or MAX_TOKENS,
    )

    def endpoint(system: str | None) -> ChatEndpoint:
        told = None if system is None else lambda _: system
        return ChatEndpoint(url, api_key=api_key, model=name, system=told)

    asked = [question.prompt for question in run.questions]
    with (
        kept_answers(output, str(options), *asked, name, identity) as journal,
        Progress(console=Console(), transient=True) as progress,
    ):
        tasks = {
            arm: progress.add_task(arm, total=len(run.questions) * len(run.how.seeds)) for arm in run.arms
        }

        def on_done(outcome: Outcome) -> None:
            progress.advance(tasks[outcome.condition])

        report = run_arms(endpoint, run.questions, options, output, journal, on_done)
    for table in (arms_table(report), paired_table(report)):
        if table.row_count:
            Console().print(table)
    return report


def arms_table(report: dict[str, Any]) -> Table:
    """A row for each arm, and for each family in it if there are several."""
    # Whole names, however narrow the terminal is.
    name_of_arm = Column("arm", no_wrap=True)
    table = Table(name_of_arm, "questions", "accuracy", "95 %", "cut off", "reasoning tokens", "all tokens")
    for arm, told in report["arms"].items():
        rows = {arm: told}
        if len(told["families"]) > 1:
            rows |= {f"{arm}, {family}": score for family, score in told["families"].items()}
        for name, score in rows.items():
            interval = f"{score['accuracy_low']:.1%} to {score['accuracy_high']:.1%}"
            tokens = (score.get(f"mean_{kind}_tokens") for kind in ("reasoning", "completion"))
            table.add_row(
                name,
                str(score["num_problems"]),
                f"{score['accuracy']:.1%}",
                interval,
                f"{score['unfinished']:.1%}",
                *(NOT_TOLD if mean is None else f"{mean:.1f}" for mean in tokens),
            )
    return table


def paired_table(report: dict[str, Any]) -> Table:
    """A row for each two arms: the difference on the same questions."""
    table = Table("difference", "accuracy", "95 %", "p")
    for name, test in report["paired"].items():
        interval = f"{test['difference_low']:+.1%} to {test['difference_high']:+.1%}"
        table.add_row(name, f"{test['difference']:+.1%}", interval, f"{test['p_value']:.2g}")
    return table


def _prompt(path: Path | None) -> str:
    if path is not None:
        return path.read_text(encoding="utf-8").strip()
    own = files("steiner.server.intake").joinpath(PROMPT)
    if not own.is_file():
        raise ArmsError("The arm `prompted` needs a text: name a file with --prompt.")
    return own.read_text(encoding="utf-8").strip()
