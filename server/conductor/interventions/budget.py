"""Ends reasoning at its limits: the token budget, and the counts that are not in the grammar.

Where the markers are text, these include the limits on sections.
"""

from __future__ import annotations

from dataclasses import replace

from steiner.reasoning.automaton import Automaton
from steiner.reasoning.parser.scanner import TEXT
from steiner.reasoning.progress import Progress
from steiner.server.conductor.interventions.base import Cut, end_of_reasoning

# No token needs more room: itself and the ends of a section and a step, or two digits of a depth.
MOST_ROOM = 3


class TokenBudget:
    """Keeps the tokens between the start and the end of reasoning within `max_reasoning_tokens`.

    A token is accepted only if the reasoning can still be closed within the budget after it. So the
    model can close by itself up to the last token, and the budget is never exceeded.
    """

    watched_ids: frozenset[int] | None = None

    def __init__(self, max_reasoning_tokens: int) -> None:
        self._budget = max_reasoning_tokens

    def opening(self, progress: Progress) -> Cut | None:
        """For a budget of 0: force the start and end that the prompt lacks, before anything is sampled."""
        return None if self._budget or not progress.closing else self._cut(progress)

    def before(self, progress: Progress, token_id: int, num_tokens: int = 1) -> Cut | None:
        """Cut where accepting the id would leave no room to close.

        Args:
            num_tokens: that the id has.
        """
        if progress.phase != "reasoning":
            return None
        if progress.bound.text is None and progress.num_reasoning + MOST_ROOM <= self._budget:
            return None
        if progress.num_reasoning + _room_for(progress, token_id, num_tokens) <= self._budget:
            return None
        return self._cut(progress)

    def _cut(self, progress: Progress) -> Cut:
        detail = f"max_reasoning_tokens ({self._budget}) reached"
        return end_of_reasoning(progress, detail, "max_reasoning_tokens")


def _room_for(progress: Progress, token_id: int, num_tokens: int) -> int:
    """Tokens from this id up to the end of reasoning, not counting the end, if it closes right after this one."""
    bound = progress.bound
    if token_id == bound.reasoning_end_id:
        return 0
    if token_id == bound.backtrack_id:
        # A backtrack that cannot name its depth would not be one. Where it is text, the depth is part of it.
        depths = () if bound.text is not None else bound.depth_ids[: progress.depth]
        return num_tokens + max((len(ids) for ids in depths), default=0)
    return num_tokens + progress.num_closing_after(token_id) - bound.num_tokens_of((bound.reasoning_end_id,))


class SectionLimit:
    """Keeps the limits on a section's text where the markers are text, whose grammar leaves them out.

    Nothing is forced: the next request's grammar has the closing tag alone. An engine that ignores the grammar would
    cause the cut again and again, so the second time in a section the reasoning ends. Tokens that looked like a tag
    come together; as the first ones of a section they are taken, or it would stay empty.
    """

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self._filled: tuple[int, int | None] | None = None

    def before(self, progress: Progress, token_id: int, num_tokens: int = 1) -> Cut | None:
        """Cut instead of text that a section has no more room for."""
        if token_id != TEXT or progress.end_of_section is None or not progress.num_section_tokens:
            return None
        bound = self._automaton.bound
        index, section = next(
            (i, one) for i, one in enumerate(bound.sections) if one.end_id == progress.end_of_section
        )
        limit = self._automaton.policy.section_limit(section.role)
        if progress.num_section_tokens + num_tokens <= limit:
            return None
        detail = f"the limit of {section.name} ({limit} tokens) reached"
        filled = (progress.num_steps, progress.end_of_section)
        if self._filled == filled:
            return end_of_reasoning(progress, detail, "max_reasoning_tokens")
        self._filled = filled
        resume = replace(progress.decision_state, phase="text", section=index, num_text=limit, verdict=None)
        return Cut("budget", (), detail, resume)


class CountLimits:
    """Keeps the limits on steps and backtracks where a grammar that counted them would be too large.

    If backtracks are used up and other choices are left, one of those is sampled. No later grammar of the generation
    has a backtrack, so this is needed once. An engine that ignores the grammar would cause it again and again, so the
    second time the reasoning ends.
    """

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self._left_a_choice = False
        bound = automaton.bound
        decisions = (bound.backtrack_id, bound.proceed_id)
        self.watched_ids = frozenset(token_id for token_id in decisions if token_id is not None)

    def before(self, progress: Progress, token_id: int) -> Cut | None:
        """Cut instead of a decision that a limit forbids: force the end of reasoning, or sample among what is left."""
        if token_id not in self.watched_ids or progress.phase != "reasoning" or progress.in_step:
            return None
        state, policy = progress.decision_state, self._automaton.policy
        if token_id in self._automaton.allowed(state).ids:
            return None
        limit = self._automaton.limit_reached(state)
        if limit is None:
            if token_id != progress.bound.backtrack_id or state.num_backtracks < policy.max_backtracks:
                # The protocol forbids it, not a limit.
                return None
            limit = "max_backtracks"
            if not self._left_a_choice:
                self._left_a_choice = True
                return Cut("budget", (), f"{limit} ({policy.max_backtracks}) used up", state)
        return end_of_reasoning(progress, f"{limit} ({getattr(policy, limit)}) reached", limit)
