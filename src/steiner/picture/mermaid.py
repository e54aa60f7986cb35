"""A trace as a Mermaid flowchart, which GitHub shows in a block marked `mermaid`.

The live view in the browser writes the same text.
"""

import unicodedata

from steiner.picture.badge import standing_of
from steiner.picture.text_fit import ELLIPSIS, visible
from steiner.reasoning.steps import Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import ANSWER, PROBLEM, tree_of

MOST = 60
SIGNS = {"verified": "\N{CHECK MARK} verified", "refuted": "\N{BALLOT X} refuted"}
CLASSES = (
    "classDef verified fill:#e8f3fa,stroke:#00639c,color:#1f2933",
    "classDef refuted fill:#fdf0e7,stroke:#b8430b,color:#1f2933,stroke-dasharray:4 3",
    "classDef open fill:#f3f5f7,stroke:#5b6672,color:#1f2933",
    "classDef answer fill:#00639c,stroke:#00639c,color:#ffffff",
)


def mermaid_of(trace: Trace, problem: str = "") -> str:
    """The flowchart: steps under the step that they continue, the live path thick, ways back dotted.

    Args:
        problem: what was asked, if the trace does not say.
    """
    tree = tree_of(trace)
    lines = ["flowchart LR", f'  s0["{_label("problem", problem or trace.problem)}"]']
    lines += [f'  s{step.id}["{_step_label(step)}"]:::{step.verdict or "open"}' for step in trace.steps]
    if trace.reply:
        lines.append(f'  answer["{_label("answer", trace.reply)}"]:::answer')
    for node, parent in tree.parents.items():
        if node in (PROBLEM, ANSWER) or parent is None:
            continue
        lines.append(f"  s{parent} {'==>' if {node, parent} <= tree.live else '-->'} s{node}")
    if (tip := tree.parents.get(ANSWER)) is not None:
        lines.append(f"  s{tip} ==> answer")
    lines += [f"  s{step} -. back .-> s{destination}" for step, destination in tree.destinations.items()]
    return "\n".join([*lines, *(f"  {line}" for line in CLASSES)]) + "\n"


def _step_label(step: Step) -> str:
    standing = standing_of(step)
    by_force = " by force" if step.verdict_forced else ""
    longest = max((part.text for part in step.sections), key=len, default="")
    return _label(
        f"{step.id} {SIGNS.get(standing, standing)}{by_force}", step.text_of("next_step") or longest
    )


def _label(head: str, text: str) -> str:
    said = _escaped(_one_line(text))
    return f"{head}<br/>{said}" if said else head


def _one_line(text: str) -> str:
    line = " ".join(visible(text[: 4 * MOST]).split())
    if len(line) <= MOST and len(text) <= 4 * MOST:
        return line
    return line[: MOST - 1].rstrip() + ELLIPSIS


def _escaped(text: str) -> str:
    """The text in Mermaid's own entities, so that none of it is syntax or markup."""
    return "".join(
        character
        if character in " .," or unicodedata.category(character)[0] in "LNM"
        else f"#{ord(character)};"
        for character in text
    )
