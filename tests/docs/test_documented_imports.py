"""What the documents tell a program to import, or to run with `python -m`, is there under that name."""

import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import steiner.client
import steiner.training

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Documented by an earlier version.
FORMER = ("steiner.training.rl.ablation", "steiner.training.evals.teacher_forced")


def documented() -> dict[str, set[str]]:
    """Names by module, of the reference's directives and of every import statement in the documents."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        text = page.read_text()
        for module, options in re.findall(r"^::: (steiner[\w.]*)\n((?: +.*\n)*)", text, re.M):
            members = re.search(r"members: \[(.*)\]", options)
            found.setdefault(module, set()).update(re.split(r",\s*", members[1]) if members else ())
        for module, names in re.findall(r"^\s*from (steiner[\w.]*) import ([\w, ]+)$", text, re.M):
            found.setdefault(module, set()).update(re.split(r",\s*", names.strip()))
    return found


def test_every_documented_name_imports() -> None:
    names = documented()
    assert {"ReasoningClient", "RequestRefusedError"} <= names["steiner.client"]
    assert "SectionTexts" in names["steiner.training.problems.base"]
    missing = [
        f"{module}.{name}"
        for module, of_module in names.items()
        for name in of_module
        if not hasattr(import_module(module), name)
    ]
    assert missing == []


def test_every_module_that_is_run_by_name_is_there() -> None:
    run = {name for page in PAGES for name in re.findall(r"-m (steiner[\w.]*)", page.read_text())}
    assert run
    assert [name for name in run if find_spec(name) is None] == []


def test_the_reference_has_all_that_the_training_exports() -> None:
    assert documented()["steiner.training"] >= set(steiner.training.__all__)


@pytest.mark.parametrize("module", [steiner.client, steiner.training], ids=lambda module: module.__name__)
def test_all_that_is_exported_is_there_once(module: object) -> None:
    exported: list[str] = module.__all__  # type: ignore[attr-defined]
    assert len(exported) == len(set(exported))
    assert [name for name in exported if not hasattr(module, name)] == []
    assert set(exported) <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_training_is_imported_without_torch() -> None:
    code = "import sys, steiner.training; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("name", FORMER)
def test_what_was_documented_before_still_imports(name: str) -> None:
    former = import_module(name)
    for exported in former.__all__:
        assert getattr(former, exported).__module__ != name


def test_the_ablation_still_runs_under_its_former_name() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-m", name, "--help"], capture_output=True, text=True, timeout=300, check=True
        ).stdout
        for name in ("steiner.training.rl.ablation", "steiner.training.pipeline.ablation")
    ]
    assert "--held-out" in outputs[0]
    assert outputs[0] == outputs[1]
