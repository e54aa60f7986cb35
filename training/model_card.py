"""The model card, written from the manifest and the evaluation reports and never by hand."""

import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = ("accuracy", "backtracked", "mean_steps", "mean_reasoning_tokens", "mean_completion_tokens")
SIZE_NAMES = {"routes": "arms", "knights": "people"}
LANGUAGE_NAMES = {"ja": "Japanese", "zh": "Chinese"}
BASELINES = {"direct": "direct answers", "forward": "forward only"}


def write_model_card(model: Path, report: Path, *baselines: Path) -> Path:
    """Write `README.md` beside the weights.

    Args:
        model: folder of an exported checkpoint with its `training.json`.
        report: `report.json` of `steiner eval` on this model.
        baselines: the same of models of other styles.

    Returns:
        The card's path.
    """
    manifest = _read(model / "training.json")
    figures = _read(report)
    card = model / "README.md"
    text = "\n".join(
        [
            _head(manifest),
            _figures(figures, {BASELINES[b["options"]["style"]]: b for b in map(_read, baselines)}),
            *([_dialogues(figures["dialogues"])] if "dialogues" in figures else []),
            _data(manifest),
        ]
    )
    card.write_text(text, encoding="utf-8")
    return card


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _head(manifest: dict[str, Any]) -> str:
    recipe = manifest["recipe"]
    shape = recipe["model"]
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [reasoning, backtracking, steiner]
---
# steiner-{recipe["name"]}

A Qwen2 model of {shape["layers"]} layers, {shape["width"]} wide, that reasons in typed, verified steps and backtracks:
protocol `steiner`. It solves the three kinds of problem it was trained on, in English, Japanese and Chinese, and
nothing else:

    make 22 from 15 4 11
    roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern
    knights Ann Bob Cora : Ann says same Bob Cora ; Bob says knave Ann ; Cora says both Ann Bob
    15 4 11 から 22 を 作れ
    用 15 4 11 得到 22

Trained by `steiner train training/recipes/{recipe["name"]}.yaml`, seed {recipe["seed"]}: continual pre-training on
{recipe["cpt"]["tokens"] / 1e6:g}M tokens, supervised fine-tuning on {recipe["sft"]["tokens"] / 1e6:g}M,
{recipe["rl"]["steps"]} updates of reinforcement learning. Float arithmetic depends on the number of threads, so a
repeated run is not the same to the bit; docs/log.md says what else differs for the shipped weights.
"""


def _figures(report: dict[str, Any], baselines: dict[str, dict[str, Any]]) -> str:
    options = report["options"]
    lines = [
        "## Held-out figures",
        "",
        f"Greedy, through `steiner serve`, by `{_command(options)}`; problems whose canonical form is "
        "in no training file; behind each accuracy half of its 95 % interval.",
        "",
        "| problems | number | accuracy | backtracked | steps | reasoning tokens | completion tokens |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = {**report["families"], "all": report["all"]}
    for family, by_size in report["sizes"].items():
        rows |= {f"{family}, {size} {SIZE_NAMES[family]}": score for size, score in by_size.items()}
    for language, scores in report.get("languages", {}).items():
        rows |= {f"{family} in {LANGUAGE_NAMES[language]}": score for family, score in scores.items()}
    rows["without a solution"] = report["no_solution"]
    rows["all, grammar off"] = report["unconstrained"]
    lines += [_row(name, score) for name, score in rows.items()]
    for style, baseline in baselines.items():
        lines += [
            _row(f"{style}: {name}", score)
            for name, score in {**baseline["families"], "all": baseline["all"]}.items()
        ]
    lines += [
        "",
        f"Protocol violations: {report['all']['violated']:.1%} of the traces with the grammar on, "
        f"{report['unconstrained']['violated']:.1%} with it off.",
        "",
    ]
    return "\n".join(lines)


def _command(options: dict[str, Any]) -> str:
    """What was typed for the report, with the options that decide its figures."""
    names = ("per_family", "seed", "per_budget", "dialogues", "per_language")
    given = [f"--{name.replace('_', '-')} {options[name]}" for name in names if options.get(name)]
    return " ".join(["steiner eval", *given])


def _dialogues(held: dict[str, Any]) -> str:
    """How often news in a second turn revised the conclusion of the first."""
    rows = {
        "first turn": held["first"],
        "second turn, conclusions sent back": held["second"],
        **{f"- of these {kind}": score for kind, score in held["kinds"].items()},
        "second turn, first answer alone sent back": held["answer_alone"],
        "both turns as one question": held["fresh"],
    }
    lines = [
        "## Dialogues of two turns",
        "",
        "Held-out problems of which the second message changes a given: a target or number (`now make`, `now`), "
        "the goal or a road (`now to`, `also`), a claim (`now`). "
        f"In {held['answer_changes']:.0%} of them the first answer no longer holds. "
        f"The first search took {held['mean_trace_tokens']:.0f} tokens, which the second prompt is spared.",
        "",
        "| question | number | accuracy | steps | prompt tokens |",
        "|---|---|---|---|---|",
    ]
    for name, score in rows.items():
        accuracy = f"{score['accuracy']:.1%} ± {score['accuracy_error']:.1%}"
        means = f"{score['mean_steps']:.1f} | {score['mean_prompt_tokens']:.0f}"
        lines.append(f"| {name} | {score['num_problems']} | {accuracy} | {means} |")
    return "\n".join([*lines, ""])


def _row(name: str, score: dict[str, float]) -> str:
    accuracy, backtracked, *means = (score[column] for column in COLUMNS)
    shown = [
        f"{accuracy:.1%} ± {score['accuracy_error']:.1%}",
        f"{backtracked:.0%}",
        *(f"{mean:.1f}" for mean in means),
    ]
    return f"| {name} | {score['num_problems']} | {' | '.join(shown)} |"


def _data(manifest: dict[str, Any]) -> str:
    rows = [
        f"| {name} | {file['records']:,} | `{file['sha256'][:16]}` |"
        for name, file in manifest["data"].items()
    ]
    packages = ", ".join(f"{name} {version}" for name, version in manifest["packages"].items())
    return "\n".join(
        [
            "## Data",
            "",
            "| data | records | sha256 over the shards' |",
            "|---|---|---|",
            *rows,
            "",
            f"Made with {packages}.",
            "",
        ]
    )


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("Usage: python -m steiner.training.model_card MODEL REPORT [BASELINE_REPORT ...]")
    print(write_model_card(*map(Path, sys.argv[1:])))
