"""Chooses the verifier by the problem: that of the family whose wording it has, else the arithmetic one."""

from collections.abc import Sequence

from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement, Verifier
from steiner.reasoning.verifiers.task import TaskVerifier


class AutoVerifier:
    name = "auto"

    def __init__(self, tasks: Sequence[TaskVerifier], otherwise: Verifier) -> None:
        self._tasks = tuple(tasks)
        self._otherwise = otherwise

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        return self._chosen(problem).verify(problem, trace, step)

    def check_answer(self, problem: str, answer: str) -> bool | None:
        return self._chosen(problem).check_answer(problem, answer)

    def _chosen(self, problem: str) -> Verifier:
        return next((task for task in self._tasks if task.knows(problem)), self._otherwise)
