"""The dataset card, as the hub reads it, written from the manifest and the statistics and never by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steiner.training.config.files import write_whole
from steiner.training.data.figures import plot_histograms
from steiner.training.data.manifest import read_manifest
from steiner.training.data.statistics import MEASURES, Measured, measure_all, write_statistics

CONTENTS = {
    "problems": "problems of which no two are the same, about one in twenty held out from training by its identity",
    "dags": "for each training problem every state that legal moves reach, dead ends included",
    "traces": "searches through these DAGs: typed steps with a verdict, backtracks out of dead ends, and the answer",
    "drills": "primitive exercises on training problems, for continual pre-training",
    "dialogues": "traces behind an earlier question and answer, which the prompt revises",
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "1M<n<10M"


def write_report(folder: Path, tokenizer: Any) -> Path:
    """Write `statistics.json`, `statistics.md`, a histogram for each kind, and the card, `README.md`.

    Args:
        folder: the data folder of a run.
        tokenizer: of the run, to count tokens with.

    Returns:
        The card's path.

    Raises:
        DataError: the data are not complete.
    """
    manifest = read_manifest(folder)
    measured = measure_all(folder, tokenizer)
    figures = write_statistics(measured, folder)
    for name, of_kind in measured.items():
        plot_histograms(of_kind, _picture(folder, name))
    write_whole(folder / "statistics.md", "\n".join(["# Statistics", "", *_all_tables(figures)]))
    card = folder / "README.md"
    write_whole(card, "\n".join([*_front_matter(manifest), *_text(manifest, figures, measured)]))
    return card


def _picture(folder: Path, kind: str) -> Path:
    return folder / "pictures" / f"{kind}.svg"


def _front_matter(manifest: dict[str, Any]) -> Iterator[str]:
    """What the hub reads (https://huggingface.co/docs/hub/datasets-cards)."""
    total = sum(kind["records"] for kind in manifest["kinds"].values())
    size = next((name for limit, name in SIZES if total < limit), LARGEST)
    yield from ("---", "license: apache-2.0", f"pretty_name: steiner-{manifest['recipe']}")
    yield from ("task_categories: [text-generation]", f"size_categories: [{size}]")
    yield f"language: [{', '.join(manifest['languages'])}]"
    yield "tags: [reasoning, backtracking, synthetic, steiner]"
    yield "configs:"
    for name, kind in manifest["kinds"].items():
        if kind["records"]:
            yield f"- config_name: {name}"
            yield f"  data_files: {name}/*.parquet"
            if name == "traces":
                yield "  default: true"
    yield "---"


def _text(manifest: dict[str, Any], figures: dict[str, Any], measured: dict[str, Measured]) -> Iterator[str]:
    packages = ", ".join(f"{name} {version}" for name, version in manifest["packages"].items())
    yield from (f"# steiner-{manifest['recipe']}: searches with backtracking", "")
    yield "Problems with exact rules, the graph of states of each, and searches that verify every step and go back"
    yield "where it fails. Made by a program from a seed: no text of people, no output of a model."
    yield from ("", "| kind | records | what |", "|---|---|---|")
    for name, kind in manifest["kinds"].items():
        yield f"| {name} | {kind['records']:,} | {CONTENTS[name]} |"
    if "traces" in figures:
        yield from ("", *_searches(figures["traces"]), "", *_table(figures["traces"], MEASURES))
    yield from (
        "",
        "Mean / median / 95th percentile / maximum. All kinds: [statistics.md](statistics.md).",
        "",
    )
    yield from (f"![Histograms of {name}](pictures/{name}.svg)" for name in measured)
    yield from ("", "## How it was made", "", f"    {manifest['command']}", "")
    yield f"Seed {manifest['seed']}; the recipe's data section, every count and the SHA-256 of every file stand in"
    yield f"`manifest.json`. Python {manifest['python']}, {packages}: with the same versions the same seed gives the"
    yield "same bytes, however many processes share the work. Held-out problems are those whose canonical form has a"
    yield "SHA-256 that twenty divides, on every machine and in every run; no trace, DAG or drill is made of them."
    yield from ("", "| kind | files | SHA-256 over the files' own |", "|---|---|---|")
    for name, kind in manifest["kinds"].items():
        yield f"| {name} | {len(kind['shards'])} | `{kind['sha256'][:16]}` |"
    yield ""


def _searches(rows: list[dict[str, Any]]) -> Iterator[str]:
    *_, all_traces = rows
    share = all_traces["with_backtracks"] / all_traces["records"]
    yield f"{all_traces['with_backtracks']:,} of the {all_traces['records']:,} traces ({share:.0%}) backtrack at"
    steps, tokens = all_traces["steps"]["mean"], all_traces["tokens"]["mean"]
    yield f"least once. In the mean a trace has {steps:.1f} steps and {tokens:.0f} tokens."


def _all_tables(figures: dict[str, Any]) -> Iterator[str]:
    for name, rows in figures.items():
        measures = [measure for measure, value in rows[0].items() if isinstance(value, dict)]
        yield from (f"## {name}", "", *_table(rows, measures), "")
    yield from ("Mean / median / 95th percentile / maximum.", "")


def _table(rows: list[dict[str, Any]], measures: Any) -> Iterator[str]:
    yield f"| family | size | records | {' | '.join(measures)} |"
    yield f"|---|---|---|{'---|' * len(measures)}"
    for row in rows:
        shown = [
            f"{one['mean']:.1f} / {one['p50']} / {one['p95']} / {one['max']}"
            for one in (row[measure] for measure in measures)
        ]
        family, size = row["family"] or "all", "all" if row["size"] is None else row["size"]
        yield f"| {family} | {size} | {row['records']:,} | {' | '.join(shown)} |"
