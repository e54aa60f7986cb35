"""The files of a run: YAML that is read into its model, and what is written whole or not at all.

What is wrong with a file is told by file, field and reason. Unknown keys are refused, and nothing changes after it was
read.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from steiner.reasoning.errors import SteinerError

Model = TypeVar("Model", bound=BaseModel)

PARTIAL = ".partial"
"""Ends the name of what is still being written."""


def read_yaml(path: Path, model: type[Model], error: type[SteinerError], whole: str) -> Model:
    """Read and validate.

    Args:
        error: to be raised where the file is missing, is no YAML, or a field is unknown, missing or out of range.
        whole: what a fault is said to be in that belongs to no field.
    """
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as cause:
        raise error(f"{path}: {cause.strerror}.") from cause
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise error(f"{path}: not valid YAML: {cause}") from cause
    except ValidationError as cause:
        faults = "\n".join(f"  {_field_of(e['loc']) or whole}: {e['msg']}" for e in cause.errors())
        raise error(f"{path}:\n{faults}") from cause


def _field_of(location: tuple[int | str, ...]) -> str:
    """A field's dotted name, without the kind of model that pydantic puts in between; "" for none."""
    return ".".join(str(part) for part in location if not str(part).startswith("from "))


class Strict(BaseModel):
    """A section of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Another name to write a file under; behind the block its bytes are on the disk, and then it takes its own.

    Each process has another one. After an error or a kill `path` is what it was before.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    yield partial
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder under another name; behind the block it takes the place of what was at `path`."""
    partial = path.with_name(f"{path.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    if path.exists():
        shutil.rmtree(path)
    partial.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write a file's text, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def whole_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line of a journal, with the byte where it begins.

    A last line without its end was torn by a kill: it is left out, and cut off where the file was opened for writing.
    """
    begin = 0
    for line in file:
        if not line.endswith(b"\n"):
            break
        yield begin, line
        begin += len(line)
    if file.writable():
        file.truncate(begin)
