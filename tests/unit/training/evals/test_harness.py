"""Runs of the harness that are over are not made again."""

from pathlib import Path
from typing import Any

import pytest

from steiner.training.evals import harness
from steiner.training.evals.benchmarks import BENCHMARKS, BenchmarkError, BenchmarkFile
from steiner.training.evals.harness import ChatServer, HarnessOptions, run_benchmarks
from steiner.training.evals.journal import AnswerJournal


def test_a_seed_that_was_asked_before_an_error_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    broken = {3}

    def ask(file: BenchmarkFile, _: ChatServer, __: HarnessOptions, seed: int) -> list[dict[str, Any]]:
        if seed in broken:
            raise BenchmarkError("gone")
        asked.append(seed)
        doc = {file.benchmark.identity: "question"}
        return [{"doc": doc, "resps": [[f"answer {seed}"]], "exact_match": seed % 2}]

    monkeypatch.setattr(harness, "ask_harness", ask)
    files = [BenchmarkFile(BENCHMARKS["math-500"], tmp_path / "test.jsonl")]
    options = HarnessOptions(temperature=1.0, seeds=(1, 2, 3))

    def run() -> dict[str, Any]:
        with AnswerJournal(tmp_path / "answers.jsonl") as journal:
            return run_benchmarks(files, ChatServer("http://x", "m"), options, tmp_path, journal)

    with pytest.raises(BenchmarkError):
        run()
    assert asked == [1, 2]
    broken.clear()
    report = run()
    assert asked == [1, 2, 3]
    assert report["benchmarks"]["math-500"]["seeds"] == {"1": 1.0, "2": 0.0, "3": 1.0}
    assert not (tmp_path / "answers.jsonl").exists()
