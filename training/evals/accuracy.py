"""Ask a running server held-out problems and let the exact checkers judge."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import Backtrack
from steiner.training.evals.held_out import HeldOutProblem

Messages = Sequence[Mapping[str, Any]]


class StreamingClient(Protocol):
    """What asks the questions; `steiner.client.ReasoningClient` is one."""

    def stream_async(self, prompt: str | Messages, **options: Any) -> AsyncIterator[Event]: ...


@dataclass(slots=True)
class Outcome:
    """One answered problem.

    Attributes:
        finished: the answer was ended by the model and not by a length limit or an error.
        completion_tokens: reasoning, answer and markers.
    """

    family: str
    size: int
    prompt: str
    answer: str = ""
    right: bool = False
    finished: bool = False
    num_steps: int = 0
    num_refuted: int = 0
    num_backtracks: int = 0
    num_violations: int = 0
    prompt_tokens: int = 0
    reasoning_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """Figures over a set of outcomes; shares are in [0, 1].

    Attributes:
        accuracy_error: half of the 95 % interval (Wilson, 1927).
    """

    num_problems: int
    accuracy: float
    accuracy_error: float
    backtracked: float
    violated: float
    unfinished: float
    mean_steps: float
    mean_backtracks: float
    mean_reasoning_tokens: float
    mean_completion_tokens: float

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


async def ask_all(
    client: StreamingClient,
    problems: Sequence[HeldOutProblem],
    options: dict[str, Any],
    concurrency: int,
    on_done: Callable[[Outcome], None],
) -> list[Outcome]:
    """Outcomes in the order of the problems; `on_done` is called as each arrives."""
    free = asyncio.Semaphore(concurrency)

    async def ask_one(problem: HeldOutProblem) -> Outcome:
        async with free:
            outcome = Outcome(problem.family, problem.size, problem.prompt)
            await answer_to(client, problem.prompt, outcome, problem.accepts, options)
        on_done(outcome)
        return outcome

    return list(await asyncio.gather(*map(ask_one, problems)))


def score(outcomes: Sequence[Outcome]) -> Score:
    """Means over outcomes.

    Raises:
        ValueError: there are none.
    """
    if not outcomes:
        raise ValueError("No outcomes to score: ask at least one problem.")
    num = len(outcomes)

    def mean(of: Callable[[Outcome], float]) -> float:
        return sum(map(of, outcomes)) / num

    accuracy = mean(lambda o: o.right)
    return Score(
        num_problems=num,
        accuracy=accuracy,
        accuracy_error=wilson_half_width(accuracy, num),
        backtracked=mean(lambda o: o.num_backtracks > 0),
        violated=mean(lambda o: o.num_violations > 0),
        unfinished=mean(lambda o: not o.finished),
        mean_steps=mean(lambda o: o.num_steps),
        mean_backtracks=mean(lambda o: o.num_backtracks),
        mean_reasoning_tokens=mean(lambda o: o.reasoning_tokens),
        mean_completion_tokens=mean(lambda o: o.completion_tokens),
    )


def wilson_half_width(share: float, num: int, z: float = 1.96) -> float:
    """Half of the Wilson score interval of a binomial share."""
    return z * math.sqrt(share * (1 - share) / num + z * z / (4 * num * num)) / (1 + z * z / num)


async def answer_to(
    client: StreamingClient,
    prompt: str | Messages,
    outcome: Outcome,
    accepts: Callable[[str], bool],
    options: dict[str, Any],
) -> list[Event]:
    """Ask, fill in the outcome, and return everything that was said."""
    said: list[Event] = []
    async for event in client.stream_async(prompt, **options):
        said.append(event)
        match event:
            case events.StepDone():
                outcome.num_steps += 1
                outcome.num_refuted += event.verdict == "refuted"
                outcome.num_backtracks += isinstance(event.decision, Backtrack)
            case events.Violation():
                outcome.num_violations += 1
            case events.AnswerDone():
                outcome.answer = event.text
                outcome.right = accepts(event.text)
            case events.Usage():
                outcome.prompt_tokens = event.prompt_tokens
                outcome.reasoning_tokens = event.reasoning_tokens
                outcome.completion_tokens = event.completion_tokens
            case events.Done():
                outcome.finished = event.finish_reason == "stop"
            case _:
                pass
    return said
