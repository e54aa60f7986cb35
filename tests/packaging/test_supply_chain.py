"""Bill of materials and licences say what is installed."""

import json
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bill_of_materials_has_every_package_of_the_image() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nsbom:")[1].split("\n\n")[0]
    [line] = [line for line in recipe.splitlines() if "image-cpu.cdx.json" in line]
    command = line.split("$(BIN)/cyclonedx-py ")[1].replace("build/image-cpu.cdx.json", "-").split()
    # The tool validates what it writes against the schema of CycloneDX.
    bill = json.loads(run(str(Path(sys.executable).with_name("cyclonedx-py")), *command))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "steiner"
    pins = [line for line in (ROOT / "deploy/requirements-cpu.txt").read_text().splitlines() if "==" in line]
    wanted = {(pin.name, str(pin.specifier).removeprefix("==")) for pin in map(Requirement, pins)}
    assert {(part["name"], part["version"]) for part in bill["components"]} == wanted


def test_the_page_of_licences_is_what_the_packages_say() -> None:
    page = run(sys.executable, "scripts/list_licences.py")
    assert (ROOT / "docs/licences.md").read_text() == page, "run scripts/list_licences.py > docs/licences.md"
    assert "| not named |" not in page
