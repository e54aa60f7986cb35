"""An exact judge of the steps of one task family."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

from steiner.reasoning.steps import Step
from steiner.reasoning.tasks.base import NO_MOVE_LEFT, NOT_FOUND, Rules
from steiner.reasoning.tasks.dialogue import problem_of_dialogue
from steiner.reasoning.tasks.languages import in_english
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Judgement
from steiner.reasoning.verifiers.visited import VisitedTree, is_dead_end

MAX_STATES = 2_000
"""The most states searched for a solution. Beyond that, only the trace can show that there is none."""


class TaskVerifier:
    """Replays the moves of the live path by the rules and judges the next one."""

    def __init__(self, rules: Rules[Any, Any, Any]) -> None:
        self.name = rules.name
        self._rules = rules

    def knows(self, problem: str) -> bool:
        """Whether the user's messages make a problem of this family."""
        return problem_of_dialogue(self._rules, problem) is not None

    def verify(self, problem: str, trace: Trace, step: Step) -> Judgement | None:
        parsed = problem_of_dialogue(self._rules, problem)
        next_step = in_english(step.text_of("next_step")).strip()
        if parsed is None or not next_step:
            return None
        visited = VisitedTree(self._rules, parsed, trace)
        if step.parent not in visited.states:
            return None
        if next_step == NO_MOVE_LEFT:
            return self._judge_exhaustion(parsed, visited)
        state = visited.states[step.parent]
        move = self._rules.read_move(parsed, state, next_step)
        if move is None:
            reason = self._rules.why_illegal(parsed, state, next_step)
            return None if reason is None else Judgement("refuted", reason)
        return self._judge_result(parsed, visited, self._rules.apply(parsed, state, move))

    def check_answer(self, problem: str, answer: str) -> bool | None:
        parsed = problem_of_dialogue(self._rules, problem)
        if parsed is None:
            return None
        told = in_english(answer)
        if told.strip() == NOT_FOUND:
            solvable = is_solvable(self._rules, parsed)
            return None if solvable is None else not solvable
        return self._rules.check(parsed, told)

    def _judge_result(self, parsed: Any, visited: VisitedTree, result: Any) -> Judgement | None:
        if self._rules.is_goal(parsed, result):
            return Judgement("verified", "the goal is reached")
        if is_dead_end(self._rules, parsed, result):
            return Judgement("refuted", "a dead end: the goal cannot be reached from there")
        if result in visited.dead:
            return Judgement("refuted", "every move from there was tried before, in vain")
        if result in visited.states.values():
            # The model may refute it as seen, and going there again may be a circle: neither verdict is surely right.
            return None
        return Judgement("verified", "a legal move, and no dead end")

    def _judge_exhaustion(self, parsed: Any, visited: VisitedTree) -> Judgement | None:
        if visited.states[0] in visited.dead:
            return Judgement("verified", "every move was tried, in vain")
        match is_solvable(self._rules, parsed):
            case True:
                return Judgement("refuted", "there is a solution")
            case False:
                return Judgement("verified", "there is no solution")
            case None:
                return None


@lru_cache(maxsize=1024)
def is_solvable(rules: Rules[Any, Any, Any], problem: Hashable) -> bool | None:
    """Whether any path reaches the goal; None if it is still open after MAX_STATES."""
    root: Hashable = rules.root(problem)
    seen = {root}
    waiting = [root]
    while waiting:
        state = waiting.pop()
        if rules.is_goal(problem, state):
            return True
        for move in [] if is_dead_end(rules, problem, state) else rules.moves(problem, state):
            result = rules.apply(problem, state, move)
            if result not in seen:
                seen.add(result)
                waiting.append(result)
        if len(seen) > MAX_STATES:
            return None
    return False
