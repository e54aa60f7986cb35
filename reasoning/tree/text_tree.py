"""A trace as plain text, for logs and documents.

problem
+- 1 x 15 * 11 leaves nothing to use (back to the problem)
`- 2 + 15 and 7 are open
   `- 3 + 15 + 7 = 22
answer: 15 + 7 (ended by model, 63 reasoning tokens)
"""

from typing import assert_never

from steiner.reasoning.steps import Backtrack, End, Proceed, Step
from steiner.reasoning.trace import Trace

UNKNOWN = "unknown place"


def draw_tree(trace: Trace, max_text: int = 80) -> str:
    """Steps under the step they continue, each with its verdict (+ verified, x refuted, ? none) and its conclusion.

    Args:
        max_text: characters of a conclusion or an answer before it is cut.
    """
    lines = ["problem", *_branches(trace, trace.children(0), max_text)]
    orphans = tuple(step for step in trace.steps if step.parent is None)
    if orphans:
        lines += [UNKNOWN, *_branches(trace, orphans, max_text)]
    ended = "not ended" if trace.ended_by is None else f"ended by {trace.ended_by}"
    answer = _shortened(trace.reply, max_text) if trace.reply else "none"
    lines.append(f"answer: {answer} ({ended}, {trace.num_reasoning_tokens} reasoning tokens)")
    return "\n".join(lines)


def _branches(trace: Trace, steps: tuple[Step, ...], max_text: int) -> list[str]:
    """Siblings and all below them, depth first. It uses a stack, because a free model may go deeper than Python can."""
    children: dict[int | None, list[Step]] = {}
    for step in trace.steps:
        children.setdefault(step.parent, []).append(step)
    lines: list[str] = []
    waiting = _stacked(steps, "")
    while waiting:
        step, indent, is_last = waiting.pop()
        lines.append(f"{indent}{'`- ' if is_last else '+- '}{_label(step, max_text)}")
        below = tuple(child for child in children.get(step.id, ()) if child.id > step.id)
        waiting += _stacked(below, indent + ("   " if is_last else "|  "))
    return lines


def _stacked(steps: tuple[Step, ...], indent: str) -> list[tuple[Step, str, bool]]:
    return [(step, indent, step is steps[-1]) for step in reversed(steps)]


def _label(step: Step, max_text: int) -> str:
    mark = {"verified": "+", "refuted": "x", None: "?"}[step.verdict]
    by_force = " by force" if step.verdict_forced else ""
    conclusion = step.text_of("summary") or step.text_of("next_step") or step.text_of("thought")
    repeats = "" if step.repeats is None else f"repeats step {step.repeats}"
    notes = [repeats, _decided(step), "interrupted" if step.interrupted else ""]
    ending = "".join(f" ({note})" for note in notes if note)
    return f"{step.id} {mark}{by_force} {_shortened(conclusion, max_text)}{ending}"


def _decided(step: Step) -> str:
    match step.decision:
        case Backtrack(to_depth=0):
            return "back to the problem"
        case Backtrack(to_depth=None):
            return f"back to an {UNKNOWN}"
        case Backtrack(to_depth=depth):
            return f"back to depth {depth}"
        case Proceed() | End() | None:
            return ""
        case _:
            assert_never(step.decision)


def _shortened(text: str, max_text: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= max_text else f"{line[: max_text - 3]}..."
