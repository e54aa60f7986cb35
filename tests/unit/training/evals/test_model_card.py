"""The card says what manifest and reports say, in the hub's format."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from steiner.training.evals.accuracy import Outcome
from steiner.training.evals.best_of import best_of_report
from steiner.training.evals.compare import compare
from steiner.training.evals.evidence import EvidenceError
from steiner.training.evals.model_card import write_model_card
from steiner.training.pipeline.plots import plot_training


def answers(text: str, prompt: str, tokens: int = 10) -> list[Outcome]:
    """One sample a letter; R is right."""
    return [
        Outcome("routes", 3, prompt, answer=letter, right=letter == "R", completion_tokens=tokens)
        for letter in text
    ]


SCORE = {
    "num_problems": 300, "num_answers": 300, "accuracy": 0.9433, "accuracy_error": 0.0268, "accuracy_low": 0.911,
    "accuracy_high": 0.9644, "backtracked": 0.7, "violated": 0.0, "unfinished": 0.01,
    "mean_steps": 4.5, "mean_backtracks": 2.4, "mean_reasoning_tokens": 190.2, "mean_completion_tokens": 200.9,
}  # fmt: skip
FAMILIES = {"countdown": SCORE, "routes": SCORE | {"accuracy": 0.9}, "knights": SCORE}
TESTS = {
    name: test.as_json()
    for name, test in compare(
        answers("RRRR", "a") + answers("R", "b"), answers("RWRW", "a") + answers("W", "b")
    ).items()
}
GREEDY: dict[str, Any] = {
    "command": "steiner eval --per-family 300",
    "options": {"per_family": 300, "seed": 1, "style": "search", "temperature": 0.0},
    "all": SCORE,
    "families": FAMILIES,
    "sizes": {"routes": {"3": SCORE}, "knights": {"5": SCORE | {"accuracy": 0.81}}},
    "no_solution": SCORE,
    "unconstrained": SCORE | {"violated": 0.125},
    "constraint": {"all": TESTS["routes"]},
}
SAMPLED = GREEDY | {
    "command": "steiner eval --temperature 1",
    "options": GREEDY["options"] | {"temperature": 1.0},
    "seeds": {"1": {"all": 0.91}, "2": {"all": 0.925}},
}
TURN = SCORE | {"mean_prompt_tokens": 41.6}
DIALOGUES = {
    "command": "steiner eval --dialogues 300",
    "dialogues": {
        "first": TURN,
        "second": TURN | {"accuracy": 0.91},
        "kinds": {"countdown: now make": TURN | {"accuracy": 0.9}, "routes: also": TURN},
        "answer_alone": TURN,
        "fresh": TURN,
        "answer_changes": 0.96,
        "mean_trace_tokens": 210.4,
    },
}


def budget(steps: int, accuracy: float, **more: Any) -> dict[str, Any]:
    score = SCORE | {"accuracy": accuracy, "mean_reasoning_tokens": 40.0 * steps}
    return {"max_steps": steps, **dict.fromkeys(FAMILIES, score), **more}


BUDGETS = {
    "command": "steiner eval --per-budget 300",
    "budgets": [budget(1, 0.3), budget(4, 0.96, fell=[]), budget(8, 0.7, fell=["routes"])],
    "verified_budgets": [budget(1, 0.97), budget(4, 0.99, fell=[]), budget(8, 0.99, fell=[])],
}
DIRECT = GREEDY | {"command": "steiner eval runs/direct --style direct", "all": SCORE | {"accuracy": 0.4}}
MANIFEST: dict[str, Any] = {
    "recipe": {
        "name": "tiny", "seed": 1, "model": {"layers": 4, "width": 128}, "cpt": {"tokens": 8_000_000},
        "sft": {"tokens": 14_000_000}, "rl": {"steps": 20},
    },
    "data": {"traces": {"records": 64_437, "sha256": "ab" * 32}},
    "packages": {"torch": "2.13.0"},
}  # fmt: skip
BEST_OF = best_of_report(
    answers("R", "a", 40) + answers("W", "b", 40),
    answers("RRR", "a", 40) + answers("RWW", "b", 40),
    {"direct": answers("WWWRW", "a") + answers("WWWRR", "b")},
)
EVIDENCE: dict[str, Any] = {
    "greedy": GREEDY, "sampled": SAMPLED, "direct": DIRECT, "budgets": BUDGETS, "dialogues": DIALOGUES,
    "best-of": BEST_OF, "sft": DIRECT | {"command": "steiner eval runs/sft"},
    "languages": {
        "command": "steiner eval --per-language 300", "languages": {"ja": {"routes": SCORE | {"accuracy": 0.92}}},
    },
    "four-numbers": {"command": "steiner eval --four-numbers 300", "four_numbers": SCORE | {"accuracy": 0.88}},
    "comparisons": {"greedy, direct": TESTS, "greedy, sft": TESTS},
}  # fmt: skip


def write(folder: Path, evidence: dict[str, Any], manifest: dict[str, Any] = MANIFEST) -> str:
    (folder / "eval").mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(manifest))
    for name, report in evidence.items():
        (folder / "eval" / f"{name}.json").write_text(json.dumps(report))
    return write_model_card(folder).read_text()


def test_the_card_has_figures_data_and_commands(tmp_path: Path) -> None:
    card = write(tmp_path, EVIDENCE)
    for report in EVIDENCE.values():
        assert "command" not in report or f"    {report['command']}\n" in card
    assert "`steiner train training/recipes/tiny.yaml`, seed 1" in card
    assert "| countdown | 300 | 94.3% (91.1 to 96.4) | 70% | 4.5 | 190.2 | 200.9 |" in card
    assert "| knights, 5 people | 300 | 81.0%" in card
    assert "| routes in Japanese | 300 | 92.0%" in card
    assert "| direct: all | 300 | 40.0%" in card
    assert "| steiner-tiny | 300 | 88.0%" in card
    assert "| greedy: all | 0.00% | 12.50% |" in card
    assert "| second turn, conclusions sent back | 300 | 91.0% (91.1 to 96.4) | 4.5 | 42 |" in card
    assert "seed 1: 91.0%, seed 2: 92.5%" in card
    assert "| then reinforcement learning: all | 300 |" in card
    assert "| traces | 64,437 | `abababababababab` |" in card


def test_a_card_names_the_base_that_was_trained_further(tmp_path: Path) -> None:
    model = {"base": "Qwen/Qwen2.5-32B", "max_positions": 8192, "lora": None}
    card = write(tmp_path, EVIDENCE, MANIFEST | {"recipe": MANIFEST["recipe"] | {"model": model}})
    assert "\nbase_model: Qwen/Qwen2.5-32B\n" in card
    assert "\nQwen/Qwen2.5-32B, trained further, that reasons" in card
    assert "Chinese, beside what its base can do. It wants them in this phrasing:" in card


def test_what_follows_from_the_figures_is_said(tmp_path: Path) -> None:
    card = write(tmp_path, EVIDENCE)
    assert "from the limit before to: routes at 8 steps with its own verdicts." in card
    assert "countdown from 4 steps on by its own verdicts, from 1 steps on with the verifier" in card
    assert "neither is ahead on routes (direct)" in card
    rising = BUDGETS | {
        "budgets": [budget(1, 0.3), budget(4, 0.5, fell=[])],
        "verified_budgets": BUDGETS["verified_budgets"][:2],
    }
    card = write(tmp_path, EVIDENCE | {"budgets": rising})
    assert "No step up of the limit lowers an accuracy beyond chance" in card
    assert "routes at no limit by its own verdicts" in card


def test_the_hub_reads_its_metadata(tmp_path: Path) -> None:
    data: Any = ModelCard(write(tmp_path, EVIDENCE)).data
    assert (data.license, data.library_name) == ("apache-2.0", "transformers")
    assert data.model_name == "steiner-tiny"
    assert [(r.dataset_type, r.metric_value) for r in data.eval_results] == [
        ("steiner-countdown", 94.3), ("steiner-routes", 90.0), ("steiner-knights", 94.3),
    ]  # fmt: skip


def test_a_card_is_made_of_what_there_is(tmp_path: Path) -> None:
    manifest = MANIFEST | {"recipe": MANIFEST["recipe"] | {"cpt": None, "rl": None}}
    card = write(tmp_path, {"greedy": GREEDY}, manifest)
    assert "Dialogues" not in card
    assert "![" not in card
    assert "pre-training" not in card
    (tmp_path / "eval" / "greedy.json").unlink()
    with pytest.raises(EvidenceError):
        write_model_card(tmp_path)


def test_a_card_tells_of_the_teachers(tmp_path: Path) -> None:
    runs = [{"records": 1_200, "sha256": "cd" * 32}, {"records": 9, "sha256": "ef" * 32}]
    card = write(tmp_path, {"greedy": GREEDY}, MANIFEST | {"teacher_runs": runs})
    assert "| traces of teacher 1 | 1,200 | `cdcdcdcdcdcdcdcd` |" in card
    assert "| traces of teacher 2 | 9 |" in card


def test_card_and_curves_repeat_to_the_byte(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        write(tmp_path / name, EVIDENCE)
        files = ("README.md", "eval/budgets.svg", "eval/best-of.svg")
        written.append([(tmp_path / name / file).read_bytes() for file in files])
    assert written[0] == written[1]
    assert all(picture.startswith(b"<?xml") for picture in written[0][1:])


def test_the_losses_of_a_run_are_drawn(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "sft").mkdir(parents=True)
    (run / "rl").mkdir()
    (run / "sft" / "log.jsonl").write_text(
        '{"step": 50, "loss": 2.0}\n{"step": 100, "loss": 1.0}\n{"step": 101}\n'
    )
    (run / "rl" / "log.jsonl").write_text('{"step": 0, "accuracy": 0.8, "reward": 0.7}\n')
    for name in ("a", "b"):
        plot_training(run, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
