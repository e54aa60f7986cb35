"""What to measure, and the command line that measures it again."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from steiner.reasoning.errors import SteinerError
from steiner.training.problems import FAMILIES

EvalStyle = Literal["search", "forward", "direct"]
MAX_TOKENS = 1400
"""The default for reasoning and answer; few searches of the families take as many."""
COUNTS = ("per_family", "per_budget", "dialogues", "per_language", "four_numbers")
"""Options that say how many of a kind are asked."""


class EvalOptionsError(SteinerError):
    """Options of an evaluation that contradict each other; the message names them and says what to do."""


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What to measure.

    Attributes:
        per_family: solvable problems of each family; 0 leaves them out.
        seed: which held-out problems.
        style: "search", or a baseline's: "forward", or "direct" for a model that answers without reasoning.
        per_budget: problems of each family asked at each limit on steps; 0 leaves the sweep out.
        temperature: of sampling; 0 is greedy.
        dialogues: two-turn dialogues of each family; 0 leaves them out.
        per_language: problems of each family asked in each language other than English; 0 leaves them out.
        sampling_seeds: every problem is asked once with each; without any, once.
        four_numbers: problems of Countdown with four numbers, searched with memory; 0 leaves them out.
        chat: ask through chat completions, which any server has, and measure only the answers.
        explain: tell the model the rules and the notation of each family, for models not trained on them.
        max_tokens: of reasoning and answer.
        families: the families to ask; none means all.
        only_held_out: leave out problems without a solution and decoding without the constraint.

    Raises:
        EvalOptionsError: some options contradict each other.
    """

    per_family: int = 300
    seed: int = 1
    concurrency: int = 32
    style: EvalStyle = "search"
    per_budget: int = 0
    temperature: float = 0.0
    dialogues: int = 0
    per_language: int = 0
    sampling_seeds: tuple[int, ...] = ()
    four_numbers: int = 0
    chat: bool = False
    explain: bool = False
    max_tokens: int = MAX_TOKENS
    only_held_out: bool = False
    families: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise EvalOptionsError(f"--concurrency must be at least 1, given {self.concurrency}.")
        counts = {name: getattr(self, name) for name in COUNTS}
        if negative := [name for name, count in counts.items() if count < 0]:
            raise EvalOptionsError(f"{_flag(negative[0])} must not be negative, given {counts[negative[0]]}.")
        if not any(counts.values()):
            raise EvalOptionsError(f"Nothing to ask; give one of {', '.join(map(_flag, counts))} a number.")
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise EvalOptionsError(f"No family {unknown[0]!r}; --families are of {', '.join(FAMILIES)}.")
        if self.sampling_seeds and self.temperature == 0:
            raise EvalOptionsError(
                "--sampling-seeds have no effect at temperature 0, where every sample is the same; "
                "give a --temperature, such as 1."
            )
        if len(set(self.sampling_seeds)) < len(self.sampling_seeds):
            raise EvalOptionsError(f"--sampling-seeds repeat themselves: {self.sampling_seeds}.")
        if self.chat and (
            given := [n for n in ("per_budget", "dialogues", "four_numbers") if getattr(self, n)]
        ):
            raise EvalOptionsError(
                f"{_flag(given[0])} needs the step stream of a Steiner server; leave out --chat or it."
            )
        if self.explain and not self.chat:
            raise EvalOptionsError(
                "--explain is for models behind --chat; a model of this project knows its families."
            )
        if self.explain and self.per_language:
            raise EvalOptionsError("--explain speaks English only; leave out --per-language.")

    def command(self, model: str | None = None) -> str:
        """The command line that measures the same: every option that is not the default."""
        given = [
            argument
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default and field.name != "concurrency"
            for argument in _arguments(field.name, value)
        ]
        return shlex.join(["steiner", "eval", *([model] if model else []), *given])


def _arguments(name: str, value: object) -> Iterable[str]:
    match value:
        case True:
            return [_flag(name)]
        case float():
            return [_flag(name), f"{value:g}"]
        case tuple() if name == "sampling_seeds":
            return [_flag(name), write_seeds(value)]
        case tuple():
            return [_flag(name), ",".join(value)]
        case _:
            return [_flag(name), str(value)]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds as a user types them: "1,2,5" or "1-32".

    Raises:
        EvalOptionsError: it is neither.
    """
    seeds: list[int] = []
    for part in filter(None, text.replace(" ", ",").split(",")):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise EvalOptionsError(f"Cannot read the seeds {text!r}; write them as 1,2,3 or 1-32.")
        seeds.extend(range(int(first), int(last or first) + 1))
    return tuple(seeds)


def write_seeds(seeds: tuple[int, ...]) -> str:
    """The seeds in the form that `read_seeds` reads, with a range as its two ends."""
    if len(seeds) > 2 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ",".join(map(str, seeds))
