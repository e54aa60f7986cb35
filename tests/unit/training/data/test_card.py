"""The report: a dataset that the hub's library reads, with a card that says what manifest and statistics say."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from steiner.training.config.recipe import Recipe
from steiner.training.data.card import write_report
from steiner.training.data.figures import MOST_EVEN_BARS, bar_edges
from steiner.training.data.kinds import KINDS, TRACES
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import DataError, read_records
from steiner.training.data.writing import write_data
from steiner.training.model.starting_model import tokenizer_of

pytestmark = pytest.mark.slow

LOADED = """
import sys
from datasets import load_dataset
for name in sys.argv[2:]:
    loaded = load_dataset(sys.argv[1], name, split="train")
    print(name, len(loaded), loaded[0]["id"])
print(load_dataset(sys.argv[1], split="train").column_names)
"""


@pytest.fixture
def reported(written: Recipe) -> Path:
    return write_report(written.output / "data", tokenizer_of(written)).parent


def test_the_card_has_the_hubs_front_matter(reported: Path) -> None:
    _, front_matter, text = (reported / "README.md").read_text().split("---\n", 2)
    told = yaml.safe_load(front_matter)
    assert told["license"] == "apache-2.0"
    assert told["language"] == ["en"]
    assert told["size_categories"] == ["1K<n<10K"]
    assert {one["config_name"]: one["data_files"] for one in told["configs"]} == {
        name: f"{name}/*.parquet" for name in KINDS
    }
    assert text.startswith("# steiner-test")


def test_the_card_says_what_manifest_and_records_say(reported: Path) -> None:
    card = (reported / "README.md").read_text()
    manifest = read_manifest(reported)
    for name, kind in manifest["kinds"].items():
        assert f"| {name} | {kind['records']:,} | " in card
        assert f"| {name} | {len(kind['shards'])} | `{kind['sha256'][:16]}` |" in card
    traces = list(read_records(reported, TRACES))
    backtracking = sum(any(step["to_depth"] is not None for step in trace["steps"]) for trace in traces)
    assert f"{backtracking:,} of the {len(traces):,} traces ({backtracking / len(traces):.0%})" in card
    assert "    steiner data training/recipes/test.yaml\n" in card
    for name in ("traces", "dialogues", "dags"):
        assert f"(pictures/{name}.svg)" in card
        assert (reported / f"pictures/{name}.svg").read_bytes().startswith(b"<?xml")
    assert (reported / "statistics.md").read_text().count("\n## ") == 3


def test_the_same_data_give_the_same_report(reported: Path, written: Recipe) -> None:
    files = [path for path in reported.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    write_report(reported, tokenizer_of(written))
    assert {path: path.read_bytes() for path in files} == before
    # And they are still the data of that recipe, complete.
    assert write_data(written) == {
        name: kind["records"] for name, kind in read_manifest(reported)["kinds"].items()
    }


def test_the_hubs_library_reads_the_folder(reported: Path, tmp_path: Path) -> None:
    offline = os.environ | {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", LOADED, str(reported), *KINDS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=offline)
    *configs, columns = done.stdout.splitlines()
    kinds = read_manifest(reported)["kinds"]
    assert [line.split()[:2] for line in configs] == [[name, str(kinds[name]["records"])] for name in KINDS]
    assert columns == str(TRACES.schema.names)


def test_a_report_of_half_the_data_is_refused(written: Recipe) -> None:
    (written.output / "data/traces/00000.parquet").unlink()
    with pytest.raises(DataError, match="not complete"):
        write_report(written.output / "data", tokenizer_of(written))


@pytest.mark.parametrize("longest", [0, 7, MOST_EVEN_BARS, MOST_EVEN_BARS + 1, 90_000])
def test_every_value_has_a_bar(longest: int) -> None:
    edges = bar_edges(longest)
    assert edges[0] == -0.5
    assert edges[-2] < longest < edges[-1]
    assert all(begin < end for begin, end in itertools.pairwise(edges))
    assert len(edges) <= MOST_EVEN_BARS + 30
