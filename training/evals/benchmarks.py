"""Published benchmarks, from files in the format they are published in, through lm-evaluation-harness.

The harness words the questions and reads the answers. We only say where the data is. Nothing is downloaded.

MATH answers are marked by the harness's own equality, applied to the boxed answer of a reply. Its `hendrycks_math`
takes what is between the first and the last dollar sign. That suits base models that were shown examples, but chat
models box their answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from steiner.reasoning.errors import SteinerError

READERS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}


class BenchmarkError(SteinerError):
    """An unknown benchmark, data that cannot be read, or a failed run of the harness."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark and the harness's task for it.

    Attributes:
        published: where the data comes from and which file to take.
        task: the harness's task file that words and marks it, under `lm_eval/tasks/`.
        split: the split that the task asks.
        columns: that the file must have.
        identity: the column that identifies a question, whatever the order of its choices.
        category: the column by which the report divides the questions, if there is one.
        marked_by: the harness's filter whose verdict counts.
        changes: further lines of the task file.
    """

    name: str
    published: str
    task: str
    split: str
    columns: tuple[str, ...]
    identity: str
    category: str | None
    marked_by: str
    changes: str = ""


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="gpqa-diamond",
            published="Idavidrein/gpqa, gpqa_diamond.csv",
            task="gpqa/cot_zeroshot/_gpqa_cot_zeroshot_yaml",
            split="train",
            columns=(
                "Question",
                "Correct Answer",
                "Incorrect Answer 1",
                "Incorrect Answer 2",
                "Incorrect Answer 3",
            ),
            identity="Question",
            category="High-level domain",
            marked_by="flexible-extract",
        ),
        Benchmark(
            name="mmlu-pro",
            published="TIGER-Lab/MMLU-Pro, data/test-00000-of-00001.parquet",
            task="mmlu_pro/_default_template_yaml",
            split="test",
            columns=("question_id", "question", "options", "answer", "category"),
            identity="question_id",
            category="category",
            marked_by="custom-extract",
            changes=(
                # The examples of the harness's default are in another file, and reasoning models do not need them.
                "num_fewshot: 0\n"
                "fewshot_split: null\n"
                "fewshot_config: null\n"
                "description: |\n"
                "  The following is a multiple choice question. Think step by step and then finish your answer with\n"
                '  "the answer is (X)" where X is the correct letter choice.\n\n'
            ),
        ),
        Benchmark(
            name="math-500",
            published="HuggingFaceH4/MATH-500, test.jsonl",
            task="hendrycks_math/hendrycks_math500.yaml",
            split="test",
            columns=("problem", "solution", "answer", "unique_id"),
            identity="unique_id",
            category="subject",
            marked_by="none",
            changes=(
                'doc_to_text: "{{problem}}\\n\\nReason step by step, and put the final answer within \\\\boxed{}."\n'
                "process_docs: null\n"
                "process_results: !function steiner.training.evals.benchmarks.process_results\n"
            ),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class BenchmarkFile:
    """A benchmark and its data on disk."""

    benchmark: Benchmark
    path: Path

    def task_yaml(self) -> str:
        """The harness's task over this file."""
        origin = find_spec("lm_eval")
        if origin is None or origin.origin is None:
            raise BenchmarkError("lm-evaluation-harness is not installed: pip install 'steiner[eval]'.")
        base = Path(origin.origin).parent / "tasks" / self.benchmark.task
        return (
            f"include: {base}\n"
            f"task: {task_name(self.benchmark)}\n"
            "tag: null\n"
            f"dataset_path: {READERS[self.path.suffix]}\n"
            "dataset_name: null\n"
            f"dataset_kwargs: {{data_files: {{{self.benchmark.split}: {self.path.resolve().as_posix()!r}}}}}\n"
            f"{self.benchmark.changes}"
        )


def task_name(benchmark: Benchmark) -> str:
    """Name of the task that `BenchmarkFile.task_yaml` defines."""
    return f"steiner_{benchmark.name.replace('-', '_')}"


def read_benchmark(text: str) -> BenchmarkFile:
    """A benchmark as it is typed: NAME=FILE.

    Raises:
        BenchmarkError: the name is unknown, or the file is missing, has an unknown format, or lacks a column.
    """
    name, equals, given = text.partition("=")
    if not equals or name not in BENCHMARKS:
        raise BenchmarkError(
            f"Cannot read the benchmark {text!r}; write NAME=FILE with a name of {', '.join(BENCHMARKS)}."
        )
    benchmark, path = BENCHMARKS[name], Path(given)
    if path.suffix not in READERS:
        raise BenchmarkError(
            f"{path} is none of {', '.join(READERS)}; {name} is published as {benchmark.published}."
        )
    missing = [column for column in benchmark.columns if column not in _columns(path)]
    if missing:
        raise BenchmarkError(
            f"{path} has no column {missing[0]!r}; {name} is published as {benchmark.published}, with "
            f"{', '.join(map(repr, benchmark.columns))}."
        )
    return BenchmarkFile(benchmark, path)


def _columns(path: Path) -> list[str]:
    import pyarrow
    from pyarrow import csv, json, parquet

    try:
        match READERS[path.suffix]:
            case "parquet":
                names = parquet.read_schema(path).names
            case "csv":
                options = csv.ParseOptions(newlines_in_values=True)
                names = csv.open_csv(path, parse_options=options).schema.names
            case _:
                names = json.read_json(path).column_names
    except (OSError, pyarrow.ArrowException) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}") from error
    return list(names)


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether the last boxed answer of the reply, or else the whole reply, equals the solution's."""
    from lm_eval.tasks.hendrycks_math.utils import is_equiv, last_boxed_only_string, remove_boxed

    boxed = last_boxed_only_string(results[0])
    try:
        answer = results[0].strip() if boxed is None else remove_boxed(boxed)
    except AssertionError:
        # The harness's check of what it unwraps: a \fbox, which it finds and cannot open.
        answer = results[0].strip()
    return {"exact_match": float(is_equiv(answer, doc["answer"]))}
