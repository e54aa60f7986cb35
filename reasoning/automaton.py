"""Which token may follow which: the single source of truth that grammar, parser and conductor are checked against.

It knows every limit but `max_reasoning_tokens` above 0. When that budget ends, the server appends `closing(state)`;
those transitions are marked: `advance` takes them with `closing=True` only, so sampling never can.

Markers that a protocol lacks take no token: a state never stands in front of one, but behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from steiner.reasoning.errors import IllegalTokenError
from steiner.reasoning.events import EndedBy
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import BoundProtocol, Opening, Verdict

Phase = Literal[
    "start", "step", "section", "text", "verdict", "step_end", "decision", "depth", "answer", "done"
]


@dataclass(frozen=True, slots=True)
class State:
    """Where a token sequence stands.

    Attributes:
        phase: what comes next: the start, a step, a section's marker, its text, the end marker behind a verdict, the
            end of the step, a decision, the spelling of a depth, the answer, nothing.
        section: index of the section that is open or comes next.
        num_text: tokens of text in the open section or the answer.
        depth: depth of the current step; of the next one in phase "step". Behind a backtrack that names no depth it is
            the deepest that is possible.
        verdict: of the current step.
        spelled: ids of the depth spelled so far.
        closing: the reasoning is being closed early: nothing but the rest of the closing may follow.
    """

    phase: Phase
    section: int = 0
    num_text: int = 0
    depth: int = 1
    num_steps: int = 0
    num_backtracks: int = 0
    verdict: Verdict | None = None
    spelled: tuple[int, ...] = ()
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """Legal continuations: these ids, and any id that is not special where `text` is set."""

    ids: frozenset[int]
    text: bool = False


class Automaton:
    """The protocol under a policy.

    Depths are 0 <= d < depth of the step that is left; the first step has depth 1 and the step behind a backtrack to d
    has depth d + 1. A verdict is never masked: limits act on the decision behind the step.

    Attributes:
        initial: in front of the start of reasoning.
    """

    def __init__(self, bound: BoundProtocol, policy: Policy) -> None:
        self.bound = bound
        self.policy = policy
        self.initial = State("start")
        self._verdict_ids = frozenset(_marked(bound.verified_id, bound.refuted_id))

    def allowed(self, state: State) -> Allowed:
        """What sampling may continue with; never empty except when done."""
        if state.closing:
            return Allowed(frozenset(self.closing(state)[:1]))
        bound = self.bound
        match state.phase:
            case "start":
                return _one(bound.reasoning_start_id)
            case "step":
                return _one(bound.step_start_id if self._may_reason else bound.reasoning_end_id)
            case "section":
                return _one(bound.sections[state.section].start_id)
            case "text":
                ends = self.ends_of_text(state) if state.num_text else frozenset[int]()
                room = self.text_room(state)
                return Allowed(ends, room is None or room > 0)
            case "verdict":
                return _one(bound.sections[state.section].end_id)
            case "step_end":
                return _one(bound.step_end_id)
            case "decision":
                return Allowed(frozenset(self._decisions(state)))
            case "depth":
                return Allowed(frozenset(self._depth_continuations(state)))
            case "answer":
                return Allowed(frozenset({bound.end_of_turn_id} if state.num_text else ()), True)
            case "done":
                return Allowed(frozenset())
            case _:
                assert_never(state.phase)

    def advance(self, state: State, token_id: int, *, closing: bool = False) -> State:
        """The state behind one more token.

        Args:
            closing: the token is the first of `closing(state)`, appended by the server and not sampled.

        Raises:
            IllegalTokenError: the token may not come here.
        """
        if closing or state.closing:
            if self.closing(state)[:1] != (token_id,):
                raise IllegalTokenError(token_id, state.phase)
            return self._advance_closing(state, token_id)
        allowed = self.allowed(state)
        if token_id in allowed.ids:
            return self._behind_unmarked(self._advance_id(state, token_id))
        if allowed.text and self.is_text(token_id):
            return replace(state, num_text=state.num_text + 1)
        raise IllegalTokenError(token_id, state.phase)

    def closing(self, state: State) -> tuple[int, ...]:
        """The fewest tokens, three at most, that close the reasoning from here; only a conductor may write them."""
        bound, end = self.bound, self.bound.reasoning_end_id
        match state.phase:
            case "start":
                return (bound.reasoning_start_id, end)
            case "text" | "verdict":
                return _marked(bound.sections[state.section].end_id, bound.step_end_id, end)
            case "section" | "step_end":
                return _marked(bound.step_end_id, end)
            case "step" | "decision" | "depth":
                return (end,)
            case "answer" | "done":
                return ()
            case _:
                assert_never(state.phase)

    def close(self, state: State) -> State:
        """The state behind `closing(state)`: the answer comes next."""
        for token_id in self.closing(state):
            state = self.advance(state, token_id, closing=True)
        return state

    def opened(self, opening: Opening) -> State:
        """Where a completion begins whose prompt has written the opening."""
        if opening == "answer":
            return State("answer")
        return self.initial if opening == "before" else self._behind_unmarked(State("step"))

    def accepts(self, state: State) -> bool:
        """Whether the sequence may end here: the answer is written."""
        return state.phase == "done" or (state.phase == "answer" and state.num_text > 0)

    def limit_reached(self, state: State) -> EndedBy | None:
        """The limit that leaves the end of reasoning as the only decision; None where no limit took a choice away."""
        if state.phase == "step" and not self._may_reason:
            return "max_reasoning_tokens"
        if not self.bound.protocol.has_decisions:
            return None
        if state.phase != "decision" or self._decisions(state) != {self.bound.reasoning_end_id}:
            return None
        if state.num_steps >= self.policy.max_steps:
            return "max_steps"
        return "max_backtracks" if state.verdict == "refuted" else "max_depth"

    def legal_depths(self, state: State) -> range:
        """Depths that a backtrack may name."""
        return range(state.depth)

    def is_text(self, token_id: int) -> bool:
        """Whether the id may stand in a section or an answer: in the vocabulary and not special."""
        return 0 <= token_id < self.bound.vocab_size and token_id not in self.bound.special_ids

    def text_room(self, state: State) -> int | None:
        """Tokens of text that the open section may still take; None where only the end of reasoning could stop it."""
        if not self.bound.protocol.has_limited_sections:
            return None
        return self.policy.section_limit(self.bound.sections[state.section].role) - state.num_text

    def ends_of_text(self, state: State) -> frozenset[int]:
        """What may end the text of the open section once it has some."""
        section = self.bound.sections[state.section]
        if section.end_id is None:
            return self.allowed(self._behind_unmarked(self._next_section(state))).ids
        is_judged = section.role == "verification" and self._verdict_ids
        return self._verdict_ids if is_judged else frozenset({section.end_id})

    @property
    def _may_reason(self) -> bool:
        return self.policy.max_reasoning_tokens != 0

    def _advance_id(self, state: State, token_id: int) -> State:
        """The state behind an id of `allowed(state).ids`."""
        match state.phase:
            case "start":
                return replace(state, phase="step")
            case "step":
                return self._open_step(state) if self._may_reason else replace(state, phase="answer")
            case "section":
                return replace(state, phase="text", num_text=0)
            case "text" if token_id in self._verdict_ids:
                return replace(state, phase="verdict", verdict=self.bound.verdict_of(token_id))
            case "text" if self.bound.sections[state.section].end_id is None:
                return self._advance_id(self._behind_unmarked(self._next_section(state)), token_id)
            case "text" | "verdict":
                return self._next_section(state)
            case "step_end":
                return replace(state, phase="decision")
            case "decision":
                return self._decide(state, token_id)
            case "depth" if token_id == self.bound.step_start_id:
                depth = self.bound.depth_of(state.spelled)
                assert depth is not None
                return self._open_step(replace(state, depth=depth + 1))
            case "depth":
                return replace(state, spelled=(*state.spelled, token_id))
            case "answer" | "done":
                return replace(state, phase="done")
            case _:
                assert_never(state.phase)

    def _advance_closing(self, state: State, token_id: int) -> State:
        """The state behind the first id of `closing(state)`."""
        if token_id == self.bound.reasoning_end_id:
            return replace(state, phase="answer", num_text=0, spelled=(), closing=False)
        if token_id == self.bound.reasoning_start_id:
            return replace(state, phase="step", closing=True)
        phase: Phase = "decision" if token_id == self.bound.step_end_id else "step_end"
        return replace(state, phase=phase, closing=True)

    def _behind_unmarked(self, state: State) -> State:
        """The state behind markers that the protocol lacks."""
        bound = self.bound
        if state.phase == "step" and bound.step_start_id is None and self._may_reason:
            state = self._open_step(state)
        if state.phase == "section" and bound.sections[state.section].start_id is None:
            return replace(state, phase="text", num_text=0)
        if state.phase == "step_end" and bound.step_end_id is None:
            return replace(state, phase="decision")
        return state

    def _next_section(self, state: State) -> State:
        following = state.section + 1
        if following == len(self.bound.sections):
            return replace(state, phase="step_end", num_text=0)
        return replace(state, phase="section", section=following, num_text=0)

    @staticmethod
    def _open_step(state: State) -> State:
        return State(
            "section", depth=state.depth, num_steps=state.num_steps + 1, num_backtracks=state.num_backtracks
        )

    def _decisions(self, state: State) -> set[int]:
        policy, bound = self.policy, self.bound
        more_steps = state.num_steps < policy.max_steps
        refuted = state.verdict == "refuted"
        may_turn = refuted or policy.allow_change_of_mind or not self._verdict_ids
        decisions: set[int] = set()
        if more_steps and may_turn and state.num_backtracks < policy.max_backtracks:
            decisions.update(_marked(bound.backtrack_id))
        if more_steps and not refuted and state.depth < policy.max_depth:
            decisions.update(_marked(bound.proceed_id))
        if not decisions or (not refuted and state.num_steps >= policy.min_steps):
            decisions.add(bound.reasoning_end_id)
        return decisions

    def _decide(self, state: State, token_id: int) -> State:
        if token_id == self.bound.reasoning_end_id:
            return replace(state, phase="answer", num_text=0)
        if token_id == self.bound.proceed_id:
            return replace(state, phase="step", depth=state.depth + 1)
        after = replace(state, num_backtracks=state.num_backtracks + 1, spelled=())
        return replace(after, phase="depth" if self.bound.protocol.names_depth else "step")

    def _depth_continuations(self, state: State) -> Iterator[int]:
        for rest in self.bound.rests_of_depths(state.spelled, len(self.legal_depths(state))):
            yield from rest[:1] or _marked(self.bound.step_start_id)


def _marked(*ids: int | None) -> tuple[int, ...]:
    """Those of the markers that the protocol has."""
    return tuple(token_id for token_id in ids if token_id is not None)


def _one(token_id: int | None) -> Allowed:
    return Allowed(frozenset(_marked(token_id)))
