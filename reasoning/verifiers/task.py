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


class VisitedTree:
    """The states that the steps of a trace lead to, by the rules alone, because the model's verdicts prove nothing.

    Attributes:
        states: state by step id, 0 the problem; steps that are not legal moves, and all below them, are left out.
        dead: states that cannot reach the goal, because that shows at once or every move was tried there.
    """

    def __init__(self, rules: Rules[Any, Any, Any], problem: Any, trace: Trace) -> None:
        self.states: dict[int, Any] = {0: rules.root(problem)}
        self._tried: dict[Any, dict[Any, Any]] = {}
        for step in trace.steps:
            if step.parent not in self.states:
                continue
            state = self.states[step.parent]
            move = rules.read_move(problem, state, in_english(step.text_of("next_step")))
            if move is not None:
                self.states[step.id] = rules.apply(problem, state, move)
                self._tried.setdefault(state, {})[move] = self.states[step.id]
        self.dead = {state for state in self.states.values() if is_dead_end(rules, problem, state)}
        exhausted = [
            state
            for state, results in self._tried.items()
            if len(results) == len(rules.moves(problem, state))
        ]
        # Later states first: then what lies below is mostly settled, and one more round finds nothing new.
        while new := {
            state
            for state in reversed(exhausted)
            if state not in self.dead and self.dead.issuperset(self._tried[state].values())
        }:
            self.dead |= new


def is_dead_end(rules: Rules[Any, Any, Any], problem: Any, state: Any) -> bool:
    """Whether the rules alone show that the goal is out of reach."""
    if rules.is_goal(problem, state):
        return False
    return rules.is_refutable(problem, state) or not rules.moves(problem, state)


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
