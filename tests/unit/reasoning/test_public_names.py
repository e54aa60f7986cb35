"""What `steiner.reasoning` exports can be imported, is documented, and costs nothing before it is asked for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import steiner.reasoning

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/python.md"


def documented() -> list[str]:
    section = PAGE.read_text().split("\n## Reasoning\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_list_is_what_is_documented() -> None:
    assert sorted(documented()) == sorted(steiner.reasoning.__all__)
    assert sorted(steiner.reasoning._HOMES) == sorted(steiner.reasoning.__all__)


@pytest.mark.parametrize("name", documented())
def test_every_documented_name_can_be_imported(name: str) -> None:
    home = f"steiner.reasoning.{steiner.reasoning._HOMES[name]}"
    assert getattr(steiner.reasoning, name) is getattr(sys.modules[home], name)
    assert name in dir(steiner.reasoning)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Automat'"):
        steiner.reasoning.Automat  # noqa: B018


def test_the_package_alone_loads_none_of_its_modules() -> None:
    program = (
        "import sys, steiner.reasoning; print([m for m in sys.modules if m.startswith('steiner.reasoning.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
