"""What a trace has shown for certain about the states of its search."""

from typing import Any

from steiner.reasoning.tasks.base import Rules
from steiner.reasoning.tasks.languages import in_english
from steiner.reasoning.trace import Trace


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
