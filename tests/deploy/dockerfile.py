"""deploy/Dockerfile, read: the instructions of each of its stages."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of a stage; `value` is what stands behind its name, continuation lines joined."""

    name: str
    value: str

    @property
    def assignments(self) -> dict[str, str]:
        """Of ENV, ARG and LABEL."""
        return dict(word.split("=", 1) for word in shlex.split(self.value))

    @property
    def arguments(self) -> list[str]:
        """Of ENTRYPOINT in its JSON form."""
        words: list[str] = json.loads(self.value)
        return words


@dataclass(frozen=True, slots=True)
class Stage:
    """An image: what it stands on, and what is done on top."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def all_of(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last_of(self, name: str) -> Instruction:
        return self.all_of(name)[-1]


def read_stages() -> dict[str, Stage]:
    """Both images, by name."""
    stages: list[Stage] = []
    with DOCKERFILE.open("rb") as file:
        for read in DockerfileParser(fileobj=file).structure:
            instruction = Instruction(read["instruction"], read["value"])
            if instruction.name == "FROM":
                base, _, name = instruction.value.split()
                stages.append(Stage(name, base, ()))
            elif instruction.name != "COMMENT":
                before = stages.pop()
                stages.append(Stage(before.name, before.base, (*before.instructions, instruction)))
    return {stage.name: stage for stage in stages}
