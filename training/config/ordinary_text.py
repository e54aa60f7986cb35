"""The part of a recipe that mixes ordinary text into continual pre-training."""

from pathlib import Path

from pydantic import Field, field_validator

from steiner.training.config.files import Strict

KINDS = (".jsonl", ".parquet", ".txt")


class OrdinaryText(Strict):
    """Text that is not about the problems, so that a base does not forget what it can do (see docs/training.md).

    Attributes:
        files: `.jsonl` and `.parquet` with one document in each record, or `.txt` with one in each file; relative to
            the working directory.
        field: name of the field that holds the text of a record.
        share: of the stage's tokens.
    """

    files: list[Path] = Field(min_length=1)
    field: str = "text"
    share: float = Field(gt=0, lt=1)

    @field_validator("files")
    @classmethod
    def _kinds_are_known(cls, files: list[Path]) -> list[Path]:
        if wrong := [str(path) for path in files if path.suffix not in KINDS]:
            raise ValueError(f"{wrong} end in none of {', '.join(KINDS)}")
        return files
