"""`scripts/install` says in one breath what a machine lacks, and touches nothing before it has looked.

That the programs really come, on a machine that has none, is for `make check-bare` to show; here apt is played.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What the scripts call beside the programs they look for.
BASICS = "bash cat chmod cp dirname env getconf grep id install mkdir mktemp rm sed"
TOOLS = "chromium curl make nginx node npm openssl prometheus promtool redis-server"
KUBECTL = "echo 'Client Version: v1.32.3'"
#: apt-get that notes what it is told; a package is a folder of programs.
APT_GET = """
echo "$*" >>{notes}
for word in "$@"; do
    [ ! -d {shelf}/$word ] || cp {shelf}/$word/* {machine}/
done
"""


def pretend(folder: Path, command: str, script: str = "") -> Path:
    path = folder / command
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that stand before the machine's own; apt-get is never the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    pretend(folder, "apt-get", "echo no apt here; exit 100")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All commands of a machine with Python and without any program that the tests run, and nobody is root."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in BASICS.split():
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    pretend(folder, "python3.11", f'exec {sys.executable} "$@"')
    (folder / "id").unlink()
    pretend(folder, "id", "echo 1000")
    # The machine that runs this may have nginx in /usr/sbin.
    monkeypatch.setenv("SBIN", str(folder))
    return folder


def has_tools(machine: Path) -> None:
    for name in TOOLS.split():
        pretend(machine, name)
    pretend(machine, "kubectl", KUBECTL)


def has_apt(machine: Path, packages: Mapping[str, str] | None = None) -> Path:
    """apt-get, with packages that bring a program each; the file that tells how it was called."""
    notes, shelf = machine.parent / "notes", machine.parent / "shelf"
    notes.touch()
    for package, program in (packages or {}).items():
        (shelf / package).mkdir(parents=True)
        pretend(shelf / package, program)
    pretend(machine, "apt-get", APT_GET.format(notes=notes, shelf=shelf, machine=machine))
    pretend(machine, "apt-cache", "echo '  Candidate: 1.0'")
    return notes


def run(path: str, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": path} | settings
    return subprocess.run(
        [ROOT / "scripts" / script, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def install(machine: Path, **settings: str) -> str:
    """Run the script, which must fail without leaving an environment; what it says."""
    venv = machine.parent / "venv"
    done = run(f"{machine}:{os.environ['PATH']}", "install", VENV=str(venv), **settings)
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


def old_pythons(machine: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3"):
        pretend(machine, name, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')


def test_says_so_where_no_python_is_new_enough(machine: Path) -> None:
    old_pythons(machine)
    pretend(machine, "id", "echo 1000")
    pretend(machine, "sudo", "exit 1")
    said = install(machine, PYTHON="")
    assert "this machine lacks Python 3.11 to 3.14, its venv module, libnuma.so.1" in said
    assert f"    sudo {ROOT}/scripts/install-system-packages\n" in said


def test_says_so_where_the_python_of_apt_is_too_old_as_well(machine: Path) -> None:
    old_pythons(machine)
    has_apt(machine)
    pretend(machine, "id", "echo 0")
    pretend(machine, "install")
    said = install(machine, PYTHON="")
    assert "apt has done its work, and this machine still lacks Python 3.11 to 3.14" in said
    assert "make PYTHON=/path/to/python3.11" in said


def test_asks_for_disk_space_before_it_takes_any(machine: Path) -> None:
    pretend(machine, "df", "printf 'Filesystem 1M Used Available\\n/dev/x 9 9 512 1%% /\\n'")
    assert "Needed: 6144 MiB. Free: 512 MiB." in install(machine, PYTHON=sys.executable)


def test_what_is_there_is_not_asked_of_apt(bare: Path) -> None:
    notes = has_apt(bare)
    has_tools(bare)
    done = run(str(bare), "install-system-packages", "--tests")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert notes.read_text() == ""


def test_the_demo_needs_none_of_the_tests_programs(bare: Path) -> None:
    done = run(str(bare), "install-system-packages")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_user_without_rights_gets_one_line_to_paste(bare: Path) -> None:
    notes = has_apt(bare)
    done = run(str(bare), "install-system-packages", "--tests")
    assert done.returncode == 1
    assert "this machine lacks make, curl, openssl, nginx, redis-server, prometheus, promtool" in done.stderr
    assert "chromium, node, npm, kubectl 1.27 or newer" in done.stderr
    assert f"    su -c '{ROOT}/scripts/install-system-packages --tests'\n" in done.stderr
    assert notes.read_text() == ""


def test_a_machine_without_apt_is_told_what_it_lacks(bare: Path) -> None:
    has_tools(bare)
    (bare / "nginx").unlink()
    done = run(str(bare), "install-system-packages", "--tests")
    assert done.returncode == 1
    assert "this machine lacks nginx" in done.stderr
    assert "It has no apt-get" in done.stderr


def test_through_sudo_what_is_missing_comes_from_apt_and_nothing_else(bare: Path) -> None:
    notes = has_apt(bare, {"nginx-light": "nginx"})
    has_tools(bare)
    (bare / "nginx").unlink()
    # `install` and `rm` are for policy-rc.d, which keeps the servers from being started.
    calls = bare.parent / "calls"
    sudo = f'echo "$*" >>{calls}; shift; case $1 in install | rm | true) ;; *) exec "$@" ;; esac'
    pretend(bare, "sudo", sudo)
    done = run(str(bare), "install-system-packages", "--tests")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "steiner: installing from apt: nginx-light\n"
    update, installed = notes.read_text().splitlines()
    assert update.endswith(" update")
    assert installed.endswith(" install -y --no-install-recommends nginx-light")
    policy = Path("/usr/sbin/policy-rc.d")
    assert policy.exists() or f"-n rm -f {policy}" in calls.read_text().splitlines()
    assert not policy.exists() or "policy-rc.d" not in calls.read_text()


def test_names_what_apt_does_not_offer(bare: Path) -> None:
    notes = has_apt(bare)
    has_tools(bare)
    (bare / "chromium").unlink()
    pretend(bare, "apt-cache", "echo '  Candidate: (none)'")
    pretend(bare, "id", "echo 0")
    (bare / "install").unlink()
    pretend(bare, "install")
    done = run(str(bare), "install-system-packages", "--tests")
    assert done.returncode == 1
    assert "apt offers no chromium here" in done.stderr
    assert notes.read_text().splitlines() == ["-q -o DPkg::Lock::Timeout=600 update"]


def test_an_old_kubectl_is_missing_and_where_none_can_be_had_all_ways_are_named(bare: Path) -> None:
    has_tools(bare)
    pretend(bare, "kubectl", """echo 'Client Version: version.Info{Major:"1", Minor:"20"}'""")
    pretend(bare, "apt-cache", "echo '  Candidate: (none)'")
    pretend(bare, "apt-get", 'case "$*" in *indextargets*|*download*) exit 1 ;; esac')
    pretend(bare, "id", "echo 0")
    pretend(bare, "curl", "echo 'curl: (6) Could not resolve host' >&2; exit 6")
    (bare / "install").unlink()
    pretend(bare, "install")
    done = run(str(bare), "install-system-packages", "--tests")
    assert done.returncode == 1
    assert "curl: (6) Could not resolve host" in done.stderr
    assert "kubectl 1.27 or newer could not be installed" in done.stderr
    assert "Debian 13's" in done.stderr
    assert "https://pkgs.k8s.io/" in done.stderr
