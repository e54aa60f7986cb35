"""A whole run: ask what the journal does not have, then make DAGs and traces of all of it."""

import asyncio
import signal
import threading
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from steiner.training.data.kinds import DAGS, TRACES
from steiner.training.data.manifest import MANIFEST
from steiner.training.teacher.client import KEPT, Teacher, open_client
from steiner.training.teacher.completions import grow_tree
from steiner.training.teacher.config import TeachConfig, TeachError
from steiner.training.teacher.embed import Embed, load_embedding
from steiner.training.teacher.journal import Journal
from steiner.training.teacher.manifest import ShardWriter, write_manifest
from steiner.training.teacher.pace import Pace
from steiner.training.teacher.plan import Estimate, estimate
from steiner.training.teacher.price import Purse, token_counter
from steiner.training.teacher.prompts import CallKind, check_prompts
from steiner.training.teacher.question import Question, read_questions
from steiner.training.teacher.records import Summary, records_of

JOURNAL = "journal.jsonl"


def plan(config: TeachConfig) -> dict[CallKind, Estimate]:
    """What the run would still cost; nothing is sent or written.

    Raises:
        TeachError: a question, a prompt, the journal or the tokenizer cannot be used.
    """
    questions = read_questions(config.questions)
    check_prompts(config.prompts, questions)
    with Journal(config.output / JOURNAL, read_only=True) as journal:
        return estimate(config, questions, journal, token_counter(config.teacher.tokenizer))


def teach(config: TeachConfig, pace: Pace | None = None) -> Summary:
    """Run it, going on where it stopped; the same journal gives the same files.

    Args:
        pace: another one than the settings', for another clock.

    Raises:
        TeachError: something cannot be used, the teacher refuses, or the cap is reached; what was paid for is kept.
    """
    questions = read_questions(config.questions)
    check_prompts(config.prompts, questions)
    settings = config.teacher
    client = open_client(settings)
    # Before anything is paid for: that the model is missing would be noticed behind the last call only.
    embed = load_embedding(config.embeddings)
    with Journal(config.output / JOURNAL) as journal:
        teacher = Teacher(
            settings,
            client,
            journal,
            pace or Pace(settings.requests_per_minute, settings.tokens_per_minute),
            Purse(config.price, journal.spent),
            token_counter(settings.tokenizer),
        )
        return asyncio.run(_ask_and_make(config, questions, teacher, embed))


async def _ask_and_make(
    config: TeachConfig, questions: Sequence[Question], teacher: Teacher, embed: Embed
) -> Summary:
    summary = Summary(currency=config.price.currency)
    folder = config.output / "data"
    with _progress() as progress:
        async with teacher.client:
            await _ask_all(config, questions, teacher, progress)
        bar = progress.add_task("graphs", total=len(questions), note="")
        (folder / MANIFEST).unlink(missing_ok=True)
        dags, traces = ShardWriter(folder, DAGS), ShardWriter(folder, TRACES)
        for question in questions:
            # Every answer is in the journal by now; the trees of all questions together might not fit in memory.
            tree = await grow_tree(config, question, teacher.ask)
            dag, sampled = records_of(config, question, tree, embed, summary)
            dags.add([dag])
            traces.add(sampled)
            progress.advance(bar)
    dags.close()
    traces.close()
    summary.spent = teacher.journal.spent
    write_manifest(config, folder, summary)
    return summary


async def _ask_all(
    config: TeachConfig, questions: Sequence[Question], teacher: Teacher, progress: Progress
) -> None:
    """Fill the journal; as many questions at a time as calls, so that no call waits for a question."""
    bar = progress.add_task("questions", total=len(questions), note="")

    def show() -> None:
        calls = sum(total.calls for total in teacher.journal.spending.values())
        retries = f", {teacher.num_retries} retries" if teacher.num_retries else ""
        spent = f"{teacher.journal.spent:.4f} of {config.price.cap:g} {config.price.currency}"
        progress.update(bar, note=f"{calls:,} calls, {spent}{retries}")

    teacher.on_paid = show
    show()
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            await grow_tree(config, question, teacher.ask)
            progress.advance(bar)

    loop = asyncio.get_running_loop()
    handles_signals = threading.current_thread() is threading.main_thread()

    def interrupt() -> None:
        # The next one ends the process; the first gives what is under way, and is paid for, time to arrive.
        loop.remove_signal_handler(signal.SIGINT)
        teacher.stop(TeachError(f"Interrupted. {KEPT}"))

    if handles_signals:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    workers = (work() for _ in range(config.teacher.concurrency))
    results = await asyncio.gather(*workers, return_exceptions=True)
    if handles_signals:
        loop.remove_signal_handler(signal.SIGINT)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
