"""The card says what manifest and reports say."""

import json
from pathlib import Path
from typing import Any

from steiner.training.evals.plots import plot_budgets, plot_training
from steiner.training.model_card import write_model_card

SCORE = {
    "num_problems": 300, "accuracy": 0.9433, "accuracy_error": 0.0268, "backtracked": 0.7, "violated": 0.0,
    "unfinished": 0.01,
    "mean_steps": 4.5, "mean_backtracks": 2.4, "mean_reasoning_tokens": 190.2, "mean_completion_tokens": 200.9,
}  # fmt: skip
REPORT: dict[str, Any] = {
    "options": {"per_family": 300, "seed": 1, "style": "search"},
    "all": SCORE,
    "families": {"countdown": SCORE, "routes": SCORE, "knights": SCORE},
    "sizes": {"routes": {"3": SCORE}, "knights": {"5": SCORE | {"accuracy": 0.81}}},
    "languages": {"ja": {"all": SCORE, "routes": SCORE | {"accuracy": 0.92}}},
    "no_solution": SCORE,
    "unconstrained": SCORE | {"violated": 0.125},
    "budgets": [
        {
            "max_steps": steps,
            "countdown": SCORE | {"mean_reasoning_tokens": 40.0 * steps},
            "routes": SCORE,
            "knights": SCORE,
        }
        for steps in (1, 2)
    ],
}
DIRECT = REPORT | {"all": SCORE | {"accuracy": 0.4}, "options": REPORT["options"] | {"style": "direct"}}
TURN = SCORE | {"mean_prompt_tokens": 41.6}
DIALOGUES = {
    "first": TURN,
    "second": TURN | {"accuracy": 0.91},
    "kinds": {"countdown: now make": TURN | {"accuracy": 0.9}, "routes: also": TURN},
    "answer_alone": TURN,
    "fresh": TURN,
    "answer_changes": 0.96,
    "mean_trace_tokens": 210.4,
}
MANIFEST = {
    "recipe": {
        "name": "tiny", "seed": 1, "model": {"layers": 4, "width": 128}, "cpt": {"tokens": 8_000_000},
        "sft": {"tokens": 14_000_000}, "rl": {"steps": 20},
    },
    "data": {"traces": {"records": 64_437, "sha256": "ab" * 32}},
    "packages": {"torch": "2.13.0"},
}  # fmt: skip


def test_the_card_has_figures_data_and_command(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps(MANIFEST))
    report, baseline = tmp_path / "report.json", tmp_path / "baseline.json"
    report.write_text(json.dumps(REPORT))
    baseline.write_text(json.dumps(DIRECT))
    card = write_model_card(tmp_path, report, baseline).read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "`steiner train training/recipes/tiny.yaml`, seed 1" in card
    assert "| countdown | 300 | 94.3% ± 2.7% | 70% | 4.5 | 190.2 | 200.9 |" in card
    assert "| knights, 5 people | 300 | 81.0%" in card
    assert "| routes in Japanese | 300 | 92.0%" in card
    assert "| direct answers: all | 300 | 40.0%" in card
    assert "0.0% of the traces with the grammar on, 12.5% with it off" in card
    assert "| traces | 64,437 | `abababababababab` |" in card


def test_dialogues_have_a_table_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps(MANIFEST))
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    assert "Dialogues" not in write_model_card(tmp_path, report).read_text()
    report.write_text(json.dumps(REPORT | {"dialogues": DIALOGUES}))
    card = write_model_card(tmp_path, report).read_text()
    assert "| second turn, conclusions sent back | 300 | 91.0% ± 2.7% | 4.5 | 42 |" in card
    assert "| - of these countdown: now make | 300 | 90.0% ± 2.7% | 4.5 | 42 |" in card
    assert "In 96% of them the first answer no longer holds" in card
    assert "took 210 tokens" in card


def test_the_curves_are_drawn_and_repeat_to_the_byte(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "sft").mkdir(parents=True)
    (run / "rl").mkdir()
    (run / "sft" / "log.jsonl").write_text(
        '{"step": 50, "loss": 2.0}\n{"step": 100, "loss": 1.0}\n{"step": 101}\n'
    )
    (run / "rl" / "log.jsonl").write_text('{"step": 0, "accuracy": 0.8, "reward": 0.7}\n')
    pictures = []
    for name in ("a", "b"):
        plot_budgets(REPORT, [DIRECT], tmp_path / name / "budget.svg")
        plot_training(run, tmp_path / name / "training.svg")
        pictures.append([(tmp_path / name / file).read_bytes() for file in ("budget.svg", "training.svg")])
    assert pictures[0] == pictures[1]
    assert all(picture.startswith(b"<?xml") for picture in pictures[0])
