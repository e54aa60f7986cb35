"""The model card in the hub's format, written from the manifest and the reports and never by hand."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from steiner.training.evals import card_findings, card_tables
from steiner.training.evals.evidence import BEST_OF, FOLDER, read_evidence
from steiner.training.evals.plots import plot_best_of, plot_budgets

FAMILY_NAMES = {
    "countdown": "Countdown, 3 numbers",
    "routes": "Routes, 3 to 5 arms",
    "knights": "Knights and knaves, 3 to 5 people",
}
SECTIONS = {
    "greedy": card_tables.held_out,
    "sampled": card_tables.samples,
    "direct": card_tables.baselines,
    "budgets": card_findings.budgets,
    BEST_OF: card_findings.best_of,
    "sft": card_findings.stages,
    "four-numbers": card_tables.four_numbers,
    "languages": card_tables.languages,
    "dialogues": card_tables.dialogues,
}
"""Sections in their order, each with the report that it needs."""


def write_model_card(model: Path) -> Path:
    """Write `README.md` next to the weights, and its pictures next to the reports.

    Args:
        model: folder of an exported checkpoint with its `training.json` and its reports under `eval/`.

    Returns:
        The card's path.

    Raises:
        EvidenceError: there are no reports.
    """
    evidence = read_evidence(model / FOLDER)
    manifest: dict[str, Any] = json.loads((model / "training.json").read_text(encoding="utf-8"))
    baselines = {style: evidence[style] for style in card_tables.BASELINES if style in evidence}
    if "budgets" in evidence:
        plot_budgets(evidence["budgets"], baselines, model / FOLDER / "budgets.svg")
    if BEST_OF in evidence:
        plot_best_of(evidence[BEST_OF], model / FOLDER / "best-of.svg")
    sections = [section(evidence) for name, section in SECTIONS.items() if name in evidence]
    if "constraint" in evidence["greedy"]:
        sections.insert(2 if "sampled" in evidence else 1, card_tables.constraint(evidence))
    card = model / "README.md"
    text = "\n".join([_head(manifest, evidence), *sections, _data(manifest)])
    card.write_text(text, encoding="utf-8")
    return card


def metadata(name: str, report: dict[str, Any], base: str | None = None) -> ModelCardData:
    """The card's first lines as the hub reads them, the figures as its model index."""
    results = [
        EvalResult(
            task_type="text-generation",
            task_name=family,
            dataset_type=f"steiner-{family}",
            dataset_name=FAMILY_NAMES[family],
            dataset_split="held-out",
            dataset_args={"num_problems": score["num_problems"], "command": report["command"]},
            metric_type="accuracy",
            metric_name="accuracy, greedy, %",
            metric_value=round(100 * score["accuracy"], 1),
        )
        for family, score in report["families"].items()
    ]
    return ModelCardData(
        license="apache-2.0",
        base_model=base,
        language=["en", "ja", "zh"],
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["reasoning", "backtracking", "steiner"],
        model_name=name,
        eval_results=results,
    )


def _head(manifest: dict[str, Any], evidence: dict[str, Any]) -> str:
    recipe = manifest["recipe"]
    model = recipe["model"]
    base = model.get("base")
    what = (
        f"{base}, trained further,"
        if base
        else f"A Qwen2 model of {model['layers']} layers, {model['width']} wide,"
    )
    beside = "beside what its base can do" if base else "and nothing else"
    name = f"steiner-{recipe['name']}"
    trained = [
        f"continual pre-training on {recipe['cpt']['tokens'] / 1e6:g}M tokens" if recipe["cpt"] else "",
        f"supervised fine-tuning on {recipe['sft']['tokens'] / 1e6:g}M tokens",
        f"{recipe['rl']['steps']} updates of reinforcement learning" if recipe["rl"] else "",
    ]
    return f"""---
{metadata(name, evidence["greedy"], base).to_yaml().strip()}
---
# {name}

{what} that reasons in typed, verified steps and backtracks:
protocol `steiner`. It solves the three kinds of problem that it was trained on, in English, Japanese
and Chinese, {beside}. It wants them in this phrasing:

    make 22 from 15 4 11
    roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern
    knights Ann Bob Cora : Ann says same Bob Cora ; Bob says knave Ann ; Cora says both Ann Bob
    15 4 11 から 22 を 作れ
    用 15 4 11 得到 22

Trained by `steiner train training/recipes/{recipe["name"]}.yaml`, seed {recipe["seed"]}:
{", ".join(filter(None, trained))}.
Float arithmetic depends on the number of threads, so a repeated run is not the same to the bit.
docs/log.md says what else differs for the shipped weights.

Every figure below comes from the reports in `eval/`, and each has the command that made it.
`steiner eval --report` writes this card and its pictures again from them.

An accuracy is followed by its 95 % interval. It is Wilson's, and counts problems rather than samples
if a problem has several. Differences are paired: they are on the same problems, in points, with a
bootstrap interval. p is two-sided, and not adjusted for the number of comparisons. It comes from
McNemar's exact test, or from a permutation test where there are several samples.
"""


def _data(manifest: dict[str, Any]) -> str:
    teachers = enumerate(manifest.get("teacher_runs", ()), 1)
    files = manifest["data"] | {f"traces of teacher {number}": traces for number, traces in teachers}
    rows = [f"| {name} | {file['records']:,} | `{file['sha256'][:16]}` |" for name, file in files.items()]
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
