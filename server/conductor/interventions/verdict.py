"""Verdicts that outrank the model's: a repeated step is refuted, and a verifier says what it knows.

Under a protocol without verdicts, the judgement comes at the decision: a refuted step is followed by a backtrack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.events import EndedBy, InterventionKind
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import Verdict
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import find_repeat, num_trailing_repeats
from steiner.reasoning.verifiers.base import Verifier
from steiner.server.conductor.interventions.base import Cut, end_of_reasoning

MAX_CONSECUTIVE_REPEATS = 2
"""Repeats in a row that are refuted. A model that then repeats once more has not learned from it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge says of a step.

    Attributes:
        reason: one sentence for people.
        repeats: id of the step that it repeats.
        ends: whether the search ends here.
    """

    verdict: Verdict
    reason: str
    repeats: int | None = None
    ends: bool = False


class Judge(Protocol):
    """Someone whose verdict outranks the model's."""

    @property
    def kind(self) -> InterventionKind:
        """For events and metrics."""
        ...

    def judge(self, earlier: Trace, step: Step) -> Finding | None:
        """A verdict on the open step; None leaves it to the next judge, or to the model.

        Args:
            earlier: the tree without the step.
            step: complete except for its verdict and what follows the verdict.
        """
        ...


class RepeatJudge:
    """Refutes a step that repeats another; ends a search that does nothing else."""

    kind: InterventionKind = "loop"

    def judge(self, earlier: Trace, step: Step) -> Finding | None:
        repeated = find_repeat(earlier, step)
        if repeated is None:
            return None
        ends = num_trailing_repeats(earlier) >= MAX_CONSECUTIVE_REPEATS
        return Finding("refuted", f"step {step.id} repeats step {repeated.id}", repeated.id, ends)


class VerifierJudge:
    """Asks a verifier; `problem` is what the user said, a message a line."""

    kind: InterventionKind = "verifier"

    def __init__(self, verifier: Verifier, problem: str) -> None:
        self._verifier = verifier
        self._problem = problem

    def judge(self, earlier: Trace, step: Step) -> Finding | None:
        judgement = self._verifier.verify(self._problem, earlier, step)
        return None if judgement is None else Finding(judgement.verdict, judgement.reason)


class VerdictReview:
    """Asks its judges, in order of rank, where the model gives its verdict.

    Args:
        tree: the tree so far, the open step last.
        mark_repeat: called with the id of the step that the open one repeats.
    """

    def __init__(
        self,
        automaton: Automaton,
        judges: Sequence[Judge],
        tree: Callable[[], Trace],
        mark_repeat: Callable[[int], None],
    ) -> None:
        bound = automaton.bound
        self._automaton = automaton
        self._judges = judges
        self._tree = tree
        self._mark_repeat = mark_repeat
        self._has_verdicts = bound.protocol.has_verdicts
        self._verification_end_id = next(
            (section.end_id for section in bound.sections if section.role == "verification"), None
        )
        verdict_ids = (bound.verified_id, bound.refuted_id)
        watched = verdict_ids if self._has_verdicts else (bound.proceed_id, bound.reasoning_end_id)
        self.watched_ids = frozenset(token_id for token_id in watched if token_id is not None)

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Cut where a judge disagrees with the model."""
        if progress.phase != "reasoning":
            return None
        is_open = progress.end_of_section == self._verification_end_id
        in_place = is_open if self._has_verdicts else not progress.in_step
        if not in_place:
            return None
        tree = self._tree()
        if not tree.steps or not self._is_due(tree.steps[-1]):
            return None
        *before, step = tree.steps
        earlier = tree.model_copy(update={"steps": tuple(before)})
        for judge in self._judges:
            finding = judge.judge(earlier, step)
            if finding is not None:
                return self._enforce(progress, token_id, judge, finding)
        return None

    @staticmethod
    def _is_due(step: Step) -> bool:
        """Whether the step awaits its verdict, or, without verdicts, its decision."""
        return step.verdict is None and step.decision is None and not step.interrupted and bool(step.sections)

    def _enforce(self, progress: Progress, token_id: int, judge: Judge, finding: Finding) -> Cut | None:
        if finding.repeats is not None:
            self._mark_repeat(finding.repeats)
        bound = self._automaton.bound
        if token_id == bound.reasoning_end_id and (finding.ends or not self._can_turn_back(progress)):
            # The model already ends the search that a cut would end.
            return None
        if finding.ends:
            detail = f"{finding.reason}, as the ones before it did"
            return end_of_reasoning(progress, detail, "loop", judge.kind)
        forced = bound.id_of(finding.verdict)
        if forced is None:
            return self._turn_back(progress, judge, finding)
        if forced == token_id:
            return None
        index = next(i for i, section in enumerate(bound.sections) if section.role == "verification")
        resume = replace(progress.decision_state, phase="verdict", section=index, verdict=finding.verdict)
        return Cut(judge.kind, (forced,), f"{finding.reason}: {finding.verdict}", resume)

    def _turn_back(self, progress: Progress, judge: Judge, finding: Finding) -> Cut | None:
        """A backtrack instead of going on. If none is left the search ends, as after a refuted verdict."""
        policy, backtrack_id = self._automaton.policy, self._automaton.bound.backtrack_id
        if finding.verdict == "verified" or backtrack_id is None:
            return None
        state = progress.decision_state
        if not self._can_turn_back(progress):
            limit: EndedBy = "max_steps" if state.num_steps >= policy.max_steps else "max_backtracks"
            detail = f"{finding.reason}, and {limit} ({getattr(policy, limit)}) is reached"
            return end_of_reasoning(progress, detail, limit, judge.kind)
        resume = self._automaton.advance(state, backtrack_id)
        return Cut(judge.kind, (backtrack_id,), f"{finding.reason}: backtrack", resume)

    def _can_turn_back(self, progress: Progress) -> bool:
        """Whether limits and budget leave room for a backtrack, where a step is decided."""
        budget = self._automaton.policy.max_reasoning_tokens
        has_room = budget is None or progress.num_reasoning < budget
        backtrack_id = self._automaton.bound.backtrack_id
        return has_room and backtrack_id in self._automaton.allowed(progress.decision_state).ids
