"""Where a token sequence stands, as far as interventions ask: one small update a token, no text."""

from __future__ import annotations

from steiner.reasoning.automaton import State
from steiner.reasoning.protocol import BoundProtocol, Opening, Verdict


class Progress:
    """Counts and open markers of one generation.

    On legal sequences it agrees with the automaton: `closing` is `Automaton.closing` of the same tokens, and
    `decision_state` is its state where a step is decided. On those that break the protocol it agrees with the
    parser on what is open, so that `closing` breaks nothing itself.

    Args:
        opening: where the completion begins.

    Attributes:
        phase: where it stands; the turn's end is part of the answer.
        num_reasoning: tokens between the start and the end of reasoning so far.
        num_forced: forced tokens among those.
        num_tokens: all tokens.
        num_steps: steps begun.
        num_backtracks: backtracks so far.
        depth: of the current step, on the live path.
        in_step: whether a step is open.
        end_of_section: id of the marker that ends the open section; None where none with markers is open.
        num_section_tokens: tokens of text in the open section.
    """

    def __init__(self, bound: BoundProtocol, opening: Opening = "before") -> None:
        self.bound = bound
        self.phase: Opening = opening
        self.num_reasoning = 0
        self.num_forced = 0
        self.num_tokens = 0
        self.num_steps = 0
        self.num_backtracks = 0
        self.depth = 1
        self._spelled: list[int] | None = None
        self._verdict: Verdict | None = None
        self.end_of_section: int | None = None
        self.num_section_tokens = 0
        self.in_step = False
        self._is_ended = False
        self._is_at_start = False
        self._end_of = {
            section.start_id: section.end_id
            for section in bound.sections
            if section.start_id is not None and section.end_id is not None
        }

    @property
    def closing(self) -> tuple[int, ...]:
        """The fewest tokens that close the reasoning from here; three at most, none in the answer."""
        bound = self.bound
        match self.phase:
            case "before":
                return (bound.reasoning_start_id, bound.reasoning_end_id)
            case "reasoning":
                section = () if self.end_of_section is None else (self.end_of_section,)
                step = (bound.step_end_id,) if self.in_step and bound.step_end_id is not None else ()
                return (*section, *step, bound.reasoning_end_id)
            case "answer":
                return ()

    def num_closing_after(self, token_id: int) -> int:
        """Tokens of `closing` once this id is taken, inside reasoning; the end itself not taken."""
        bound = self.bound
        end_of_section = self.end_of_section
        if token_id in (end_of_section, bound.step_start_id, bound.step_end_id):
            end_of_section = None
        elif self._opens_section(token_id):
            end_of_section = self._end_of[token_id]
        in_step = (self.in_step or token_id == bound.step_start_id) and token_id != bound.step_end_id
        if bound.text is None:
            return (end_of_section is not None) + (in_step and bound.step_end_id is not None) + 1
        ends = (end_of_section, bound.step_end_id if in_step else None, bound.reasoning_end_id)
        return bound.num_tokens_of([end for end in ends if end is not None])

    @property
    def decision_state(self) -> State:
        """The automaton's state in front of a decision, right behind the end of a step."""
        return State(
            "decision",
            section=len(self.bound.sections) - 1,
            depth=self.depth,
            num_steps=self.num_steps,
            num_backtracks=self.num_backtracks,
            verdict=self._verdict,
        )

    def take(self, token_id: int, *, forced: bool = False, num_tokens: int = 1) -> None:
        """Account for one more id.

        Args:
            num_tokens: tokens that it has, where markers are text.
        """
        bound = self.bound
        self.num_tokens += num_tokens
        self._is_at_start = token_id == bound.reasoning_start_id
        if self.phase == "reasoning":
            if token_id == bound.reasoning_end_id:
                self.phase, self._is_ended = "answer", True
                return
            self.num_reasoning += num_tokens
            if forced:
                self.num_forced += num_tokens
            if token_id in bound.special_ids:
                self._take_marker(token_id)
            elif self._spelled is not None:
                self._spelled.append(token_id)
            elif self.end_of_section is not None:
                self.num_section_tokens += num_tokens
            elif bound.step_start_id is None and not self.in_step:
                self._begin_step()
        elif token_id == bound.reasoning_start_id and not self._is_ended:
            self.phase = "reasoning"
        elif self.phase == "before" and token_id not in bound.special_ids:
            # A model that is free may answer without reasoning.
            self.phase = "answer"

    def take_space(self, num_tokens: int) -> None:
        """Account for white space of the layout, and for what a cut inside a token writes anew."""
        self.num_tokens += num_tokens
        if self.phase == "reasoning" and not self._is_at_start:
            self.num_reasoning += num_tokens

    def _take_marker(self, token_id: int) -> None:
        bound = self.bound
        if token_id == self.end_of_section:
            self.end_of_section = None
        elif self._opens_section(token_id):
            self.end_of_section = self._end_of[token_id]
            self.num_section_tokens = 0
            if not self.in_step:
                self._begin_step()
        elif token_id == bound.step_start_id:
            self.end_of_section = None
            self._begin_step()
        elif token_id == bound.step_end_id:
            self.in_step = False
            self.end_of_section = None
        elif (verdict := bound.verdict_of(token_id)) is not None:
            self._verdict = verdict
        elif self.in_step:
            return
        elif token_id == bound.proceed_id:
            self.depth += 1
        elif token_id == bound.backtrack_id:
            self.num_backtracks += 1
            self._spelled = []

    def _opens_section(self, token_id: int) -> bool:
        return token_id in self._end_of and (self.in_step or self.bound.step_start_id is None)

    def _begin_step(self) -> None:
        if self._spelled is not None and (depth := self.bound.depth_of(self._spelled)) is not None:
            self.depth = depth + 1
        self._spelled = None
        self._verdict = None
        self.in_step = True
        self.num_steps += 1
