"""Reports of runs become what a card is made of, with everything that needs single answers worked out."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.evidence import EvidenceError, gather, read_evidence
from steiner.training.evals.outcome_files import write_outcomes


def run(folder: Path, right: Sequence[bool], seeds: Sequence[int | None] = (None,)) -> None:
    folder.mkdir(parents=True)
    outcomes = [
        Outcome("routes", 3, f"p{k}", answer=str(one), right=one, sampling_seed=seed, completion_tokens=10)
        for seed in seeds
        for k, one in enumerate(right)
    ]
    write_outcomes(outcomes, folder / "outcomes.jsonl")
    (folder / "report.json").write_text(json.dumps({"command": f"steiner eval {folder.name}"}))


def test_runs_are_gathered_with_their_comparisons(tmp_path: Path) -> None:
    runs, folder = tmp_path / "runs", tmp_path / "eval"
    run(runs / "greedy", [True] * 10)
    run(runs / "direct", [False] * 8)
    run(runs / "something else", [False])
    assert gather(runs, folder) == ["greedy", "direct", "comparisons"]
    evidence = read_evidence(folder)
    assert set(evidence) == {"greedy", "direct", "comparisons"}
    assert evidence["greedy"] == {"command": "steiner eval greedy"}
    assert evidence["comparisons"]["greedy, direct"]["routes"]["difference"] == 1.0
    assert evidence["comparisons"]["greedy, direct"]["routes"]["num_problems"] == 8


def test_samples_give_best_of_n(tmp_path: Path) -> None:
    run(tmp_path / "greedy", [True, False])
    run(tmp_path / "sampled", [True, False], (1, 2))
    run(tmp_path / "direct-samples", [True, True], (1, 2, 3))
    assert gather(tmp_path, tmp_path / "eval")[-1] == "best-of"
    report = read_evidence(tmp_path / "eval")["best-of"]["routes"]
    assert report["equal_tokens"]["direct"]["n"] == 1
    assert [point["n"] for point in report["direct"]] == [1, 2, 3]


def test_without_runs_or_reports_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="steiner eval --per-family 500 --output"):
        gather(tmp_path, tmp_path / "eval")
    with pytest.raises(EvidenceError, match=r"greedy\.json is missing"):
        read_evidence(tmp_path)
