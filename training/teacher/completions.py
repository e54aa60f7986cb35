"""First attempts, each cut at a random step and completed anew: with the answer hidden, and revealed if that errs.

All of it is one tree of steps for each question.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from steiner.training.problems.base import SectionTexts
from steiner.training.teacher.client import Call, RefusedError
from steiner.training.teacher.config import TeachConfig
from steiner.training.teacher.journal import Reply
from steiner.training.teacher.prompts import attempt_messages, hidden_messages, revealed_messages
from steiner.training.teacher.question import Question, is_right
from steiner.training.teacher.written import UnreadableError, Written, read_content, read_reasoning_steps

ROOT = 0
"""The question, as the parent of first steps; steps are numbered from 1."""
Result = TypeVar("Result")
Ask = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class TreeStep:
    """One step; `parent` is the number of the one that it continues.

    Attributes:
        refuted: the teacher itself says that it is wrong.
    """

    sections: SectionTexts
    parent: int
    refuted: bool


@dataclass(slots=True)
class StepTree:
    """All that was written to one question.

    Attributes:
        ends: numbers of the steps behind which a right answer was given.
        unfinished: numbers of the steps behind which a text was cut off, so that nobody knows where they lead.
        reasons: what is wrong with a step, by its number, where the teacher said so.
        dropped: why completions were not taken, as often as it happened.
    """

    steps: list[TreeStep] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    unfinished: list[int] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def step(self, number: int) -> TreeStep:
        """The step of this number."""
        return self.steps[number - 1]

    def chain(self, number: int) -> list[int]:
        """Numbers of the steps from the question down to this one, which is included."""
        found: list[int] = []
        while number != ROOT:
            found.append(number)
            number = self.step(number).parent
        return found[::-1]

    def graft(self, outcome: "Outcome", written: Written, parent: int) -> int:
        """Add what was written below a step that is there; returns the number of its first step, less one."""
        base = len(self.steps)
        for step in written.steps:
            above = base + step.parent if step.parent else parent
            self.steps.append(TreeStep(step.sections, above, step.refuted))
        if outcome.right:
            self.ends.append(base + written.end)
        elif not written.is_finished:
            self.unfinished.append(base + _tip(written))
        return base


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: its text, or why there is none."""

    written: Written | None
    right: bool = False
    problem: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether there is an answer, and not the right one."""
        return self.written is not None and self.written.is_finished and not self.right


@dataclass(frozen=True, slots=True)
class _Recompletion:
    """Of a truncated attempt: the step that it was kept up to (numbered in the attempt), and what followed."""

    kept: int
    hidden: Outcome
    revealed: Outcome | None


async def grow_tree(config: TeachConfig, question: Question, ask: Ask) -> StepTree:
    """Everything that is asked about one question; what is asked does not depend on the order of the answers.

    Raises:
        TeachError: from `ask`; what was under way is waited for first.
    """
    writer = _Writer(config, question, ask)
    attempts = await _all([writer.attempt(number) for number in range(config.completions.attempts)])
    tree = StepTree()
    for attempt, recompletions in attempts:
        _add_attempt(tree, attempt, recompletions)
    return tree


def cut_points(written: Written) -> list[int]:
    """Numbers of the steps behind which a text may be cut: those that stand, but the last."""
    return [
        number
        for number, step in enumerate(written.steps, 1)
        if not step.refuted and number != len(written.steps)
    ]


def _add_attempt(tree: StepTree, attempt: Outcome, recompletions: Sequence[_Recompletion]) -> None:
    if attempt.written is None:
        tree.dropped.append(attempt.problem)
        return
    base = tree.graft(attempt, attempt.written, ROOT)
    for one in recompletions:
        kept = base + one.kept
        if one.hidden.written is None:
            tree.dropped.append(one.hidden.problem)
            continue
        hidden = tree.graft(one.hidden, one.hidden.written, kept)
        if one.revealed is None:
            continue
        if one.revealed.written is None:
            tree.dropped.append(one.revealed.problem)
            continue
        found, tip = one.revealed.written, kept
        if found.wrong_step is not None:
            chain = tree.chain(hidden + _tip(one.hidden.written))
            tree.reasons.setdefault(chain[found.wrong_step - 1], found.reason)
            tip = chain[found.wrong_step - 2] if found.wrong_step > 1 else ROOT
        tree.graft(one.revealed, found, tip)


def _tip(written: Written) -> int:
    """Number of the step at which the text stands at its end: the last one that is not refuted, or else the last."""
    standing = [number for number, step in enumerate(written.steps, 1) if not step.refuted]
    return standing[-1] if standing else len(written.steps)


def _own_chain(written: Written, number: int) -> list[SectionTexts]:
    found: list[SectionTexts] = []
    while number:
        step = written.steps[number - 1]
        found.append(step.sections)
        number = step.parent
    return found[::-1]


@dataclass(frozen=True, slots=True)
class _Writer:
    config: TeachConfig
    question: Question
    ask: Ask

    async def attempt(self, number: int) -> tuple[Outcome, list[_Recompletion]]:
        prompts = self.config.prompts
        outcome = await self._outcome(Call("attempt", attempt_messages(prompts, self.question), number))
        points = [] if outcome.written is None else cut_points(outcome.written)
        if outcome.written is None or not points:
            return outcome, []
        rng = random.Random(f"{self.config.seed}/truncate/{self.question.id}/{number}")
        kept = [rng.choice(points) for _ in range(self.config.completions.truncations)]
        first = number * len(kept)
        calls = [self._recomplete(outcome.written, point, place) for place, point in enumerate(kept, first)]
        return outcome, await _all(calls)

    async def _recomplete(self, attempt: Written, kept: int, number: int) -> _Recompletion:
        prompts, section = self.config.prompts, self.config.embeddings.section
        chain = _own_chain(attempt, kept)
        messages = hidden_messages(prompts, self.question, chain, section)
        hidden = await self._outcome(Call("hidden", messages, number))
        # What was cut off is not wrong: there is no mistake to be found in it.
        if hidden.written is None or not hidden.is_wrong:
            return _Recompletion(kept, hidden, None)
        whole = [*chain, *_own_chain(hidden.written, _tip(hidden.written))]
        messages = revealed_messages(prompts, self.question, whole, len(chain), section)
        revealed = await self._outcome(Call("revealed", messages, number))
        if revealed.written is not None and (problem := self._misplaced(revealed.written, len(whole))):
            revealed = Outcome(None, problem=f"revealed: {problem}")
        return _Recompletion(kept, hidden, revealed)

    def _misplaced(self, revealed: Written, num_steps: int) -> str:
        """Why nobody can tell where the completion goes on, empty if one can."""
        said = revealed.wrong_step
        if said is None:
            # Typed steps have no place to say it: they go on from the last one that was kept.
            is_told = self.config.teacher.steps_from == "reasoning_steps"
            return "" if is_told else "does not say which step is wrong"
        return "" if 1 <= said <= num_steps else f"says that step {said} of {num_steps} is wrong"

    async def _outcome(self, call: Call) -> Outcome:
        try:
            reply = await self.ask(call)
            written = self._read(reply)
        except RefusedError as error:
            return Outcome(None, problem=f"{call.kind}: refused: {error}")
        except UnreadableError as error:
            return Outcome(None, problem=f"{call.kind}: {error}")
        settings = self.config.completions
        right = written.is_finished and is_right(settings, written.answer, self.question.answer)
        return Outcome(written, right)

    def _read(self, reply: Reply) -> Written:
        if self.config.teacher.steps_from == "reasoning_steps":
            return read_reasoning_steps(reply.reasoning_steps, reply.content, reply.cut_off)
        return read_content(reply.content, reply.cut_off)


async def _all(calls: Sequence[Awaitable[Result]]) -> list[Result]:
    """Results in order; the first failure is raised when all are over, since what is under way is paid for."""
    done: list[Result] = []
    failed: BaseException | None = None
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            failed = failed or result
        else:
            done.append(result)
    if failed is not None:
        raise failed
    return done
