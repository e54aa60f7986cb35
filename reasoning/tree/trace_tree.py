"""Which nodes a drawn trace has, and which hangs under which. What the trace does not say is not guessed."""

from dataclasses import dataclass

from steiner.reasoning.steps import Backtrack, Step
from steiner.reasoning.trace import Trace


def find_repeat(earlier: Trace, step: Step) -> Step | None:
    """The earlier step that this one repeats.

    Two steps at the same place repeat each other if their next steps agree: the first was left by a backtrack, or the
    search would not stand there again. A step is back at an ancestor if their understandings agree. Texts agree if they
    differ in letter case and white space alone.

    Args:
        earlier: the tree without the step.
        step: with its understanding and its next step; a step whose parent is unknown repeats nothing.
    """
    if step.parent is None:
        return None
    proposed = _said(step.text_of("next_step"))
    if proposed:
        for sibling in earlier.children(step.parent):
            if _said(sibling.text_of("next_step")) == proposed:
                return sibling
    situation = _said(step.text_of("understanding"))
    if situation:
        for ancestor in earlier.ancestors(step):
            if _said(ancestor.text_of("understanding")) == situation:
                return ancestor
    return None


def num_trailing_repeats(earlier: Trace) -> int:
    """Steps at the end of the tree that were all repeats."""
    count = 0
    for step in reversed(earlier.steps):
        if step.repeats is None:
            break
        count += 1
    return count


def _said(text: str) -> str:
    return " ".join(text.casefold().split())


PROBLEM, ANSWER = 0, -1
"""Ids of the two nodes that are not steps."""


@dataclass(frozen=True, slots=True)
class TraceTree:
    """Nodes in the order in which they came.

    Attributes:
        parents: each node's parent; None for the problem, and where it is unknown.
        live: nodes of the live path, problem and answer included.
        destinations: the node returned to, by the step that turned back, where both are known.
        lost: steps that turned back to an unknown place, or by an unknown way.
    """

    parents: dict[int, int | None]
    live: frozenset[int]
    destinations: dict[int, int]
    lost: frozenset[int]


def tree_of(trace: Trace) -> TraceTree:
    """Read a trace as a tree. A parent that does not come before its step counts as unknown."""
    parents: dict[int, int | None] = {PROBLEM: None}
    for step in trace.steps:
        parents[step.id] = step.parent if step.parent in parents else None
    live = {PROBLEM} | {step.id for step in trace.live_path()}
    if trace.reply:
        parents[ANSWER] = _tip(trace)
        live.add(ANSWER)
    back = [step for step in trace.steps if isinstance(step.decision, Backtrack)]
    destinations = {
        step.id: destination for step in back if (destination := _destination(step, parents)) is not None
    }
    lost = frozenset(step.id for step in back if step.id not in destinations)
    return TraceTree(parents, frozenset(live), destinations, lost)


def _tip(trace: Trace) -> int | None:
    """The node that the answer follows from; None if unknown."""
    path = trace.live_path()
    if path:
        return path[-1].id
    if not trace.steps:
        return PROBLEM
    last = trace.steps[-1]
    if isinstance(last.decision, Backtrack):
        return PROBLEM if last.decision.to_depth == 0 else None
    return last.parent if last.verdict == "refuted" else last.id


def _destination(step: Step, parents: dict[int, int | None]) -> int | None:
    """The ancestor at the depth that the backtrack names, if the way to the problem is known."""
    if not isinstance(step.decision, Backtrack) or step.decision.to_depth is None:
        return None
    path = [step.id]
    while (parent := parents[path[-1]]) is not None:
        path.append(parent)
    path.reverse()
    to_depth = step.decision.to_depth
    return path[to_depth] if path[0] == PROBLEM and 0 <= to_depth < len(path) - 1 else None
