"""`scripts/install` says in one breath what a machine lacks, and touches nothing before it has looked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that stand before the machine's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def pretend(machine: Path, command: str, script: str) -> Path:
    path = machine / command
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def install(machine: Path, **settings: str) -> str:
    """Run the script, which must fail without leaving an environment; what it says."""
    venv = machine.parent / "venv"
    environment = os.environ | {"PATH": f"{machine}:{os.environ['PATH']}", "VENV": str(venv)} | settings
    done = subprocess.run(
        [ROOT / "scripts/install"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert not venv.exists()
    assert done.stderr.startswith("steiner: cannot install: ")
    return done.stderr


def test_names_the_system_it_needs(machine: Path) -> None:
    pretend(machine, "uname", "echo Darwin")
    assert "Linux only, this is Darwin" in install(machine)


def test_names_the_processors_it_needs(machine: Path) -> None:
    pretend(machine, "uname", 'if [ "$1" = -s ]; then echo Linux; else echo riscv64; fi')
    assert "x86_64 and aarch64, this is riscv64" in install(machine)


def test_refuses_a_python_that_is_too_old(machine: Path) -> None:
    old = pretend(machine, "python-old", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    said = install(machine, PYTHON=str(old))
    assert f"PYTHON={old} is not a working Python 3.11 to 3.14" in said
    assert "Given: Python 3.9.2" in said


def test_says_so_where_no_python_is_new_enough(machine: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3"):
        pretend(machine, name, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    said = install(machine, PYTHON="")
    assert "no Python 3.11 to 3.14 found" in said
    assert "Found: Python 3.9.2" in said
    assert "apt-get install python3" in said


@pytest.mark.parametrize(
    ("missing", "hint"),
    [("libnuma", "apt-get install libnuma1"), ("import venv", "apt-get install python3-venv")],
)
def test_names_the_package_that_brings_what_is_missing(machine: Path, missing: str, hint: str) -> None:
    lacking = pretend(
        machine, "python3", f'case "$2" in *"{missing}"*) exit 1;; esac\nexec {sys.executable} "$@"'
    )
    assert hint in install(machine, PYTHON=str(lacking))


def test_asks_for_disk_space_before_it_takes_any(machine: Path) -> None:
    pretend(machine, "df", "printf 'Filesystem 1M Used Available\\n/dev/x 9 9 512 1%% /\\n'")
    assert "Needed: 6144 MiB. Free: 512 MiB." in install(machine, PYTHON=sys.executable)
