"""What a drafter can know of a protocol without a model: which section is open, and which tokens must come next.

It is read off the automaton: wherever a single token is legal, that token is certain. Limits of a policy can take a
choice away (the last step that is allowed must end the reasoning), so what is certain here holds for a policy whose
limits are far. A draft is verified anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from steiner.reasoning.automaton import Automaton, State
from steiner.reasoning.policy import Policy
from steiner.reasoning.protocol import MAX_DEPTH, BoundProtocol, Verdict

VERDICTS: tuple[Verdict | None, ...] = (None, "verified", "refuted")
MAX_CERTAIN = 64
"""Tokens of the longest run of certain tokens that is followed."""
FAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """Tokens after which the place in the reasoning is known.

    Attributes:
        ids: the tokens in order: a marker, or a backtrack with its depth.
        place: what is open behind them: 1 for the first section of a step and so on, 0 for none.
        verdict: index in `VERDICTS` of the only one that can stand behind them; None where it stays as it was.
        certain: the tokens that must follow, for each verdict of `VERDICTS` that may stand for the step.
    """

    ids: tuple[int, ...]
    place: int
    verdict: int | None
    certain: tuple[tuple[int, ...], ...]


def marks_of(bound: BoundProtocol) -> tuple[Mark, ...]:
    """Every mark of a protocol, in no order; those without certain tokens too, for the places they open.

    Empty where the markers are text: a mark is a run of tokens, and a model may write a tag in other tokens than ours.
    """
    if bound.text is not None:
        return ()
    policy = Policy(max_steps=FAR, max_depth=MAX_DEPTH, max_backtracks=FAR)
    automaton = Automaton(bound, policy)
    certain: dict[tuple[int, ...], dict[int, tuple[int, ...]]] = {}
    places: dict[tuple[int, ...], int] = {}
    for ids, state in _marked_states(automaton):
        verdict = VERDICTS.index(state.verdict)
        follows = _certain_from(automaton, state)
        known = certain.setdefault(ids, {})
        known[verdict] = _common(known.get(verdict, follows), follows)
        places[ids] = state.section + 1 if state.phase == "text" else 0
    return tuple(
        Mark(
            ids,
            places[ids],
            next(iter(certain[ids])) if len(certain[ids]) == 1 else None,
            tuple(certain[ids].get(verdict, ()) for verdict in range(len(VERDICTS))),
        )
        for ids in certain
    )


def _marked_states(automaton: Automaton) -> Iterator[tuple[tuple[int, ...], State]]:
    """Every kind of state right behind a mark, with the mark. Counts and depths stand for any others."""
    open_states = [automaton.initial]
    seen = set(open_states)
    while open_states:
        state = open_states.pop()
        allowed = automaton.allowed(state)
        following: list[State] = []
        for token_id in sorted(allowed.ids):
            behind = _anywhere(automaton.advance(state, token_id))
            following.append(behind)
            if behind.phase != "depth":
                yield (token_id,), behind
            elif behind.spelled and automaton.bound.backtrack_id is not None:
                yield (automaton.bound.backtrack_id, *behind.spelled), behind
        if allowed.text and not state.num_text and state.phase == "text":
            following.append(replace(state, num_text=1))
        open_states += [behind for behind in following if behind not in seen]
        seen.update(following)


def _anywhere(state: State) -> State:
    """The state without what only limits look at."""
    num_text = min(state.num_text, 1)
    return replace(state, num_text=num_text, depth=MAX_DEPTH - 1, num_steps=1, num_backtracks=0)


def _certain_from(automaton: Automaton, state: State) -> tuple[int, ...]:
    ids: list[int] = []
    while len(ids) < MAX_CERTAIN:
        allowed = automaton.allowed(state)
        if allowed.text or len(allowed.ids) != 1:
            break
        [token_id] = allowed.ids
        ids.append(token_id)
        state = automaton.advance(state, token_id)
    return tuple(ids)


def _common(one: Iterable[int], other: Iterable[int]) -> tuple[int, ...]:
    """The beginning that both have."""
    common: list[int] = []
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        common.append(mine)
    return tuple(common)
