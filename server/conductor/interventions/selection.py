"""Which interventions a generation has, by rank, and at which tokens each is asked."""

from __future__ import annotations

from collections.abc import Callable

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.events import EndedBy
from steiner.reasoning.progress import Progress
from steiner.reasoning.protocol import Opening
from steiner.reasoning.trace import Trace
from steiner.reasoning.verifiers.base import Verifier
from steiner.server.conductor.interventions.answer import AnswerOfFreeModel, FormattedAnswer
from steiner.server.conductor.interventions.base import Cut, FollowUp, Intervention
from steiner.server.conductor.interventions.budget import CountLimits, SectionLimit, TokenBudget
from steiner.server.conductor.interventions.memory import BranchMemory
from steiner.server.conductor.interventions.verdict import Judge, RepeatJudge, VerdictReview, VerifierJudge


class Interventions:
    """What may cut one generation.

    Args:
        verifier: outranks the model's verdicts; None leaves them alone.
        problem: the user's messages, a line each, for the verifier.
        answer_rule: what the answer has to fit, for people; None if nothing changes after the reasoning.
        opening: where the completion begins.
        tree: the tree so far, the open step last.
        mark_repeat: called with the id of the step that the open one repeats.

    Attributes:
        memory: the folded context, if the policy has one.
        judging_ids: ids before which the tree is looked at.
    """

    def __init__(
        self,
        automaton: Automaton,
        verifier: Verifier | None,
        problem: str,
        answer_rule: str | None,
        opening: Opening,
        tree: Callable[[], Trace],
        mark_repeat: Callable[[int], None],
    ) -> None:
        policy, bound = automaton.policy, automaton.bound
        self._automaton = automaton
        self._budget = None
        self._answer = None if answer_rule is None else FormattedAnswer(bound, answer_rule)
        self.memory = BranchMemory(bound, opening) if policy.memory else None
        before: list[Intervention] = []
        if policy.max_reasoning_tokens is not None:
            self._budget = TokenBudget(policy.max_reasoning_tokens)
        counting = (self._budget, SectionLimit(automaton) if bound.text and policy.constrained else None)
        self._counting = tuple(one for one in counting if one is not None)
        if policy.constrained:
            before.append(CountLimits(automaton))
        elif self._answer is not None:
            before.append(AnswerOfFreeModel())
        judges: list[Judge] = [RepeatJudge()] if policy.refute_repeats else []
        if verifier is not None:
            judges.append(VerifierJudge(verifier, problem))
        self.judging_ids: frozenset[int] = frozenset()
        if judges and bound.protocol.has_decisions:
            review = VerdictReview(automaton, judges, tree, mark_repeat)
            self.judging_ids = review.watched_ids
            before.append(review)
        self._everywhere = tuple(one for one in before if one.watched_ids is None)
        self._before: dict[int, tuple[Intervention, ...]] = {
            token_id: tuple(one for one in before if one.watched_ids is None or token_id in one.watched_ids)
            for token_id in frozenset().union(*(one.watched_ids or () for one in before))
        }
        self._after: tuple[FollowUp, ...] = tuple(
            one for one in (self.memory, self._answer) if one is not None
        )
        self._following_ids = frozenset[int]().union(*(one.watched_ids for one in self._after))

    def opening(self, progress: Progress) -> Cut | None:
        """A cut before the first token."""
        cut = None if self._budget is None else self._budget.opening(progress)
        if cut is None and self._answer is not None:
            cut = self._answer.after(progress)
        return cut

    def ended_by(self, progress: Progress) -> EndedBy:
        """Who ends the reasoning here: the model itself, or a limit that left it no other choice."""
        if not self._automaton.policy.constrained:
            return "model"
        return self._automaton.limit_reached(progress.decision_state) or "model"

    def before(self, progress: Progress, token_id: int, num_tokens: int = 1) -> Cut | None:
        """The cut of highest rank that replaces this id.

        Args:
            num_tokens: that it has, where markers are text.
        """
        for counting in self._counting:
            cut = counting.before(progress, token_id, num_tokens)
            if cut is not None:
                return cut
        for one in self._before.get(token_id, self._everywhere):
            cut = one.before(progress, token_id)
            if cut is not None:
                return cut
        return None

    def after(self, progress: Progress, token_id: int) -> Cut | None:
        """A cut right after this token, which was taken."""
        if token_id not in self._following_ids:
            return None
        cuts = (one.after(progress) for one in self._after if token_id in one.watched_ids)
        return next((cut for cut in cuts if cut is not None), None)
