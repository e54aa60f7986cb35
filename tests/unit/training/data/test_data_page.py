"""What docs/data.md shows, run as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from steiner.training.config.recipe import Recipe
from steiner.training.data.kinds import KINDS, TRACES
from steiner.training.data.manifest import read_manifest
from steiner.training.data.shards import SHARD_RECORDS, read_records

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[4] / "docs/data.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)[number]


@pytest.fixture
def smoke(recipe_of: object, tmp_path: Path) -> Path:
    """The folder in which the page's paths hold, with the data that its commands write."""
    recipe: Recipe = recipe_of(output="runs/smoke")  # type: ignore[operator]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-m", "steiner.cli", "data", str(path), "--workers", "1", "--report"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return tmp_path


def test_the_page_lists_every_kind_and_every_file(smoke: Path) -> None:
    for name in KINDS:
        assert f"| `{name}/` |" in PAGE
    assert f"Each has {SHARD_RECORDS:,} records, except the last" in " ".join(PAGE.split())
    for path in (smoke / "runs/smoke/data").iterdir():
        name = f"{path.name}/" if path.is_dir() else path.name
        assert f"`{name}`" in PAGE


def test_any_reader_opens_the_files(smoke: Path) -> None:
    program = block("python") + "print(table.num_rows)\n" + block("python", 1) + "print(len(traces))\n"
    offline = os.environ | {"HF_HOME": str(smoke / "hub"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=smoke, capture_output=True, text=True, timeout=300, check=True, env=offline
    )
    number = sum(1 for _ in read_records(smoke / "runs/smoke/data", TRACES))
    assert done.stdout.split() == [str(number), str(number)]


def test_the_hash_of_a_kind_is_made_as_shown(smoke: Path) -> None:
    done = subprocess.run(block("sh"), cwd=smoke, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == read_manifest(smoke / "runs/smoke/data")["kinds"]["traces"]["sha256"]


def test_a_changed_recipe_is_refused_in_these_words(smoke: Path) -> None:
    recipe = yaml.safe_load((smoke / "recipe.yaml").read_text())
    (smoke / "recipe.yaml").write_text(json.dumps(recipe | {"seed": recipe["seed"] + 1}))
    command = [sys.executable, "-m", "steiner.cli", "data", "recipe.yaml"]
    done = subprocess.run(command, cwd=smoke, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    shown = re.search(r"    (steiner: .*?)\n\n", PAGE, re.S)
    assert shown
    expected = (
        " ".join(shown[1].split()).replace("runs/tiny", "runs/smoke").replace("was 1, is 2", "was 5, is 6")
    )
    assert " ".join(done.stderr.split()) == expected
