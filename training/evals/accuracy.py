"""Ask a running server held-out problems and let the exact checkers judge."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.steps import Backtrack
from steiner.training.evals.journal import AnswerJournal

Messages = Sequence[Mapping[str, Any]]


class StreamingClient(Protocol):
    """What asks the questions; `steiner.client.ReasoningClient` is one."""

    def stream_async(self, prompt: str | Messages, **options: Any) -> AsyncIterator[Event]: ...


class Question(Protocol):
    """What is asked, and when an answer is right; `HeldOutProblem` is one."""

    @property
    def family(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def prompt(self) -> str: ...
    def accepts(self, answer: str) -> bool: ...


@dataclass(slots=True)
class Outcome:
    """One answered problem.

    Attributes:
        finished: the answer was ended by the model and not by a length limit or an error.
        completion_tokens: reasoning, answer and markers.
        ended_by: what ended the reasoning: "model", or the limit that did; empty if the endpoint does not say.
        condition: under which it was asked, such as "held-out" or "unconstrained".
        sampling_seed: which of several samples of the same problem this is; None if it was asked once.
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
    ended_by: str = ""
    condition: str = "held-out"
    sampling_seed: int | None = None


async def ask_all(
    client: StreamingClient,
    problems: Sequence[Question],
    options: dict[str, Any],
    concurrency: int,
    on_done: Callable[[Outcome], None],
    *,
    condition: str = "held-out",
    sampling_seeds: Sequence[int] = (),
    journal: AnswerJournal | None = None,
) -> list[Outcome]:
    """Outcomes in the order of the problems, all of one sampling seed before those of the next.

    Args:
        options: further fields of each request.
        concurrency: requests at a time.
        on_done: called with each outcome as it arrives.
        condition: name for the set of options.
        sampling_seeds: every problem is asked once with each; if there are none, once and without a seed.
        journal: keeps the outcomes; those that it already has are not asked for again.
    """
    free = asyncio.Semaphore(concurrency)

    async def ask_one(problem: Question, sampling_seed: int | None) -> Outcome:
        seeded = {} if sampling_seed is None else {"seed": request_seed(sampling_seed, problem.prompt)}
        key = (condition, problem.family, problem.prompt, sampling_seed)
        if journal is not None and (known := journal.find(*key)) is not None:
            outcome = Outcome(**known)
        else:
            outcome = Outcome(
                problem.family, problem.size, problem.prompt, condition=condition, sampling_seed=sampling_seed
            )
            async with free:
                await answer_to(client, problem.prompt, outcome, problem.accepts, options | seeded)
            if journal is not None:
                journal.add(asdict(outcome), *key)
        on_done(outcome)
        return outcome

    seeds: Sequence[int | None] = sampling_seeds or [None]
    return list(await asyncio.gather(*(ask_one(problem, seed) for seed in seeds for problem in problems)))


def request_seed(sampling_seed: int, prompt: str) -> int:
    """Seed of one request: a different one for each problem, so that no two answers share their luck."""
    return int.from_bytes(hashlib.sha256(f"{sampling_seed}/{prompt}".encode()).digest()[:4], "big")


async def answer_to(
    client: StreamingClient,
    prompt: str | Messages,
    outcome: Outcome,
    accepts: Callable[[str], bool],
    options: dict[str, Any],
) -> list[Event]:
    """Ask, fill in the outcome, and return all events."""
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
            case events.ReasoningDone():
                outcome.ended_by = event.ended_by
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
