"""Runs lm-evaluation-harness on benchmark files against a server's chat completions, and scores what it logged."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.benchmarks import BenchmarkError, BenchmarkFile, task_name
from steiner.training.evals.journal import AnswerJournal
from steiner.training.evals.outcome_files import write_outcomes
from steiner.training.evals.score import score

TIMEOUT_S = 3600
SHOWN_LINES = 8
SCORED = ("num_problems", "num_answers", "accuracy", "accuracy_error", "accuracy_low", "accuracy_high")
NOT_TOLD = {"steps, tokens, answers that were cut off": "lm-evaluation-harness logs the answers alone"}


@dataclass(frozen=True, slots=True)
class HarnessOptions:
    """How the questions are asked.

    Attributes:
        temperature: of sampling; 0 is greedy.
        seeds: one run for each; a seed decides the sampling, and the order of choices that a benchmark shuffles.
        max_tokens: of reasoning and answer; the task's own limit if None.
        limit: questions of each benchmark; all if None.
    """

    temperature: float = 0.0
    seeds: tuple[int, ...] = (1,)
    concurrency: int = 32
    max_tokens: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ChatServer:
    """The server that the harness asks.

    Attributes:
        url: with or without its `/v1`.
        model: name in the requests.
    """

    url: str
    model: str
    api_key: str | None = None


def run_benchmarks(
    files: Sequence[BenchmarkFile],
    server: ChatServer,
    options: HarnessOptions,
    folder: Path,
    journal: AnswerJournal,
) -> dict[str, Any]:
    """Ask every question once with each seed, and write `outcomes.jsonl` and `report.json` into the folder.

    Args:
        journal: keeps what was logged for each benchmark and seed; what it already has is not asked again.

    Raises:
        BenchmarkError: the harness failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    scores: dict[str, Any] = {}
    for file in files:
        answered = [
            (outcome, category)
            for seed in options.seeds
            for outcome, category in _outcomes(file, seed, _samples(file, server, options, seed, journal))
        ]
        outcomes += [outcome for outcome, _ in answered]
        categories = sorted({category for _, category in answered if category})
        scores[file.benchmark.name] = {
            **_score([outcome for outcome, _ in answered]),
            "categories": {c: _score([o for o, category in answered if category == c]) for c in categories},
            "seeds": {
                str(seed): _score([o for o, _ in answered if o.sampling_seed == seed])["accuracy"]
                for seed in options.seeds
            },
        }
    report = {
        "model": server.model,
        "options": asdict(options),
        "benchmarks": scores,
        "not_measured": NOT_TOLD,
    }
    write_outcomes(outcomes, folder / "outcomes.jsonl")
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _samples(
    file: BenchmarkFile, server: ChatServer, options: HarnessOptions, seed: int, journal: AnswerJournal
) -> list[dict[str, Any]]:
    key = (file.benchmark.name, seed)
    known = journal.find(*key)
    if known is None:
        known = {"samples": ask_harness(file, server, options, seed)}
        journal.add(known, *key)
    samples: list[dict[str, Any]] = known["samples"]
    return samples


def ask_harness(
    file: BenchmarkFile, server: ChatServer, options: HarnessOptions, seed: int
) -> list[dict[str, Any]]:
    """What the harness logged for each question, under the filter that counts.

    Raises:
        BenchmarkError: it failed; the message has the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="steiner-eval-") as name:
        scratch = Path(name)
        (scratch / "task.yaml").write_text(file.task_yaml(), encoding="utf-8")
        done = subprocess.run(
            _command(file, server, options, seed, scratch),
            cwd=scratch,
            env=_environment(server, scratch),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        logs = list((scratch / "results").rglob("samples_*.jsonl"))
        if done.returncode != 0 or len(logs) != 1:
            said = "\n".join(done.stdout.strip().splitlines()[-SHOWN_LINES:])
            raise BenchmarkError(f"lm-evaluation-harness failed on {file.path}:\n{said}")
        lines = logs[0].read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    return [sample for sample in samples if sample["filter"] == file.benchmark.marked_by]


def _command(
    file: BenchmarkFile, server: ChatServer, options: HarnessOptions, seed: int, scratch: Path
) -> list[str]:
    base_url = server.url.rstrip("/").removesuffix("/v1") + "/v1/chat/completions"
    model = {
        "model": server.model,
        "base_url": base_url,
        "num_concurrent": options.concurrency,
        "seed": seed,
        "timeout": TIMEOUT_S,
        "tokenizer_backend": None,
    }
    sampling: dict[str, object] = {"temperature": options.temperature, "do_sample": options.temperature > 0}
    if options.max_tokens is not None:
        sampling["max_gen_toks"] = options.max_tokens
    limit = [] if options.limit is None else ["--limit", str(options.limit)]
    return [
        *(sys.executable, "-m", "lm_eval", "run"),
        *("--model", "local-chat-completions", "--model_args", *_pairs(model), "--apply_chat_template"),
        *("--include_path", str(scratch), "--tasks", task_name(file.benchmark)),
        *("--gen_kwargs", *_pairs(sampling), "--seed", str(seed), *limit),
        *("--output_path", str(scratch / "results"), "--log_samples"),
    ]


def _pairs(values: Mapping[str, object]) -> Iterable[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _environment(server: ChatServer, scratch: Path) -> dict[str, str]:
    # Its own cache: the harness shuffles choices while it reads the data, and would reuse another seed's order.
    return os.environ | {
        "OPENAI_API_KEY": server.api_key or "none",
        "HF_HOME": str(scratch / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
    }


def _outcomes(
    file: BenchmarkFile, seed: int, samples: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[Outcome, str]]:
    """Outcomes with the category of each question."""
    benchmark = file.benchmark
    for sample in samples:
        doc = sample["doc"]
        yield (
            Outcome(
                family=benchmark.name,
                size=0,
                prompt=str(doc[benchmark.identity]),
                answer=str(sample["resps"][0][0]),
                right=sample["exact_match"] == 1,
                finished=True,
                sampling_seed=seed,
            ),
            str(doc.get(benchmark.category) or "") if benchmark.category else "",
        )


def _score(outcomes: Sequence[Outcome]) -> dict[str, float]:
    measured = score(outcomes, typed_steps=False).as_json()
    return {name: measured[name] for name in SCORED}
