"""Golden streams of events, and the tree that each is, in one form for whatever draws it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from steiner.picture.badge import standing_of
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import tree_of

FOLDER = Path(__file__).resolve().parents[1] / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
SVG = "{http://www.w3.org/2000/svg}"
BRANCH = re.compile(r"^(?P<bars>(?:│  )*)├─ step (?P<step>\d+)$")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A node as it is drawn; `parent` and `back_to` are None where they are unknown or there is none."""

    node: int
    parent: int | None
    standing: str | None
    is_forced: bool
    back_to: int | None
    is_live: bool


def tree_of_trace(trace: Trace) -> list[Drawn]:
    """What the trace itself says."""
    tree, steps = tree_of(trace), {step.id: step for step in trace.steps}
    return [
        Drawn(
            node,
            parent,
            standing_of(steps[node]).replace(" ", "-") if node in steps else None,
            node in steps and steps[node].verdict_forced,
            tree.destinations.get(node),
            node in tree.live,
        )
        for node, parent in tree.parents.items()
    ]


def tree_of_svg(svg: bytes) -> list[Drawn]:
    """What a picture says, ours or the browser's."""
    cards = [group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if "data-node" in group.attrib]
    return [
        Drawn(
            int(card.attrib["data-node"]),
            None if card.attrib["data-parent"] == "unknown" else int(card.attrib["data-parent"]),
            card.get("data-standing"),
            card.get("data-forced") == "true",
            int(card.attrib["data-back-to"]) if "data-back-to" in card.attrib else None,
            card.attrib["data-live"] == "true",
        )
        for card in cards
    ]


def steps_of_terminal(printed: str) -> list[tuple[int, int, str | None, bool]]:
    """Steps that a terminal shows, as (step, parent, verdict, whether by force); the tree hangs by its guide lines."""
    steps: list[tuple[int, int, str | None, bool]] = []
    path: list[int] = [0]
    for line in printed.splitlines():
        if found := BRANCH.match(line):
            depth = len(found["bars"]) // 3
            path = [*path[: depth + 1], int(found["step"])]
            steps.append((path[-1], path[-2], None, False))
        for sign, verdict in (("✓ verified", "verified"), ("✗ refuted", "refuted")):
            if sign in line:
                steps[-1] = (*steps[-1][:2], verdict, "(forced)" in line)
    return steps
