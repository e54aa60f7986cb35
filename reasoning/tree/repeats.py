"""Walking in circles: a step that was tried at the same place before, or is back where an ancestor stood."""

from steiner.reasoning.steps import Step
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
