"""What a user gets: sdist, then a wheel with every module of the three linked folders, and a light base."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (".py", ".yaml", ".jinja", ".html", ".css", ".js", ".json", ".svg")
HEAVY = ("torch", "vllm", "transformers", "fastapi", "llguidance", "numpy")


def shipped() -> set[str]:
    """Paths inside the package of all files under version control or about to be."""
    package = ROOT / "src" / "steiner"
    linked = {
        f"steiner/{path.relative_to(folder.parent)}"
        for folder in (ROOT / name for name in ("reasoning", "server", "training"))
        for path in folder.rglob("*")
        if path.suffix in SHIPPED and "__pycache__" not in path.parts
    }
    return linked | {
        str(path.relative_to(package.parent))
        for path in (package / "view").iterdir()
        if path.suffix in SHIPPED
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the sdist, as an index would have it built."""
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from setuptools import build_meta as b; b.build_{}(sys.argv[1])"
    run([sys.executable, "-c", build.format("sdist"), str(folder)], ROOT)
    # The command line of tarfile is the same on every Python; its API changed within 3.11.
    run([sys.executable, "-m", "tarfile", "-e", str(next(folder.glob("*.tar.gz"))), str(folder)], folder)
    source = next(path for path in folder.iterdir() if path.is_dir())
    run([sys.executable, "-c", build.format("wheel"), str(folder)], source)
    return next(folder.glob("*.whl"))


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment or None, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_wheel_has_every_module_and_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not shipped() - names
    assert "steiner/py.typed" in names


def test_the_wheel_claims_no_bare_top_level_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"steiner"}


def test_the_wheel_brings_the_command_and_the_plugin_for_vllm(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        lines = archive.read(name).decode().split("\n")
    assert "steiner = steiner.cli.main:main" in lines[lines.index("[console_scripts]") :]
    plugins = lines[lines.index("[vllm.general_plugins]") :]
    assert plugins[1] == "steiner = steiner.vllm_plugin.register:register"


def test_reasoning_and_client_load_nothing_heavy(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "import sys, pathlib, importlib\n"
        "import steiner\n"
        "assert str(pathlib.Path(steiner.__file__)).startswith(sys.argv[1]), steiner.__file__\n"
        "folder = pathlib.Path(sys.argv[1]) / 'steiner' / 'reasoning'\n"
        "for path in folder.rglob('*.py'):\n"
        "    importlib.import_module('.'.join(path.relative_to(sys.argv[1]).with_suffix('').parts))\n"
        "import steiner.client, steiner.cli, steiner.terminal.tree_view\n"
        f"print(*(set(sys.modules) & set({HEAVY})))"
    )
    loaded = run([sys.executable, "-c", program, str(tmp_path)], tmp_path, PYTHONPATH=str(tmp_path))
    assert loaded.split() == []
