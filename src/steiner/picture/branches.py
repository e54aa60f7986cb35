"""The lines between the nodes of a laid-out tree: edges to children, and the ways that backtracks went.

Coordinates are those of the layout, along and across. Edges run through the middle of the gap between two levels. A
backtrack retraces the edges that it undoes as a dashed line: from the near side of the step that turned back, past each
node that it leaves, to the far side of the node that it returns to. Several that go the same way share one line.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from steiner.picture.tree_layout import Place

#: Space that the lines need between levels, and between nodes of one level.
LEVEL_GAP, SIBLING_GAP = 66.0, 24.0
EDGE_TRUNK, RETURN_TRUNK = 22.0, 44.0
"""Distance from the lines that run across to the level before them."""
LANE = 13.0
"""How far from the edges the backtracks run."""
PASSING = 9.0
"""How far from a node they pass it."""
TURN = 7.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Returns:
    """Dashed lines, and the points where they end in an arrow that points against `along`."""

    lines: tuple[tuple[Point, ...], ...]
    tips: tuple[Point, ...]


def edge(parent: Place, child: Place) -> tuple[tuple[float, ...], ...]:
    """Path from a node to its child, with round turns."""
    start, end = parent.middle, child.middle
    if abs(start - end) < 0.5:
        return ((parent.along_end, start), (child.along, end))
    trunk = child.along - EDGE_TRUNK
    turn = min(TURN, abs(end - start) / 2)
    step = turn if end > start else -turn
    return (
        (parent.along_end, start),
        (trunk - turn, start),
        (trunk, start, trunk, start, trunk, start + step),
        (trunk, end - step),
        (trunk, end, trunk, end, trunk + turn, end),
        (child.along, end),
    )


def returns(
    places: Mapping[int, Place], parents: Mapping[int, int | None], destinations: Mapping[int, int]
) -> Returns:
    """The ways of all backtracks.

    Args:
        destinations: the node returned to, an ancestor, by the node that turned back.
    """
    #: By the node at whose far side they run: (where they enter, where they leave), across.
    flows: dict[int, set[tuple[float, float]]] = defaultdict(set)
    trunks: dict[int, float] = {}
    stubs: set[tuple[Point, Point]] = set()
    tips: set[Point] = set()
    #: Nodes that were passed on the way to a destination: the rest of the way is already drawn from there.
    passed: set[tuple[int, int]] = set()
    for node, destination in destinations.items():
        enters, start, current = places[node].middle + LANE, places[node].along, node
        while (parent := parents[current]) is not None:
            trunk, above = places[current].along - RETURN_TRUNK, places[parent]
            trunks[parent] = trunk
            stubs.add(((start, enters), (trunk, enters)))
            if parent == destination:
                tip = (above.along_end, above.middle + LANE)
                flows[parent].add((enters, tip[1]))
                stubs.add(((trunk, tip[1]), tip))
                tips.add(tip)
                break
            leaves = above.across_end + PASSING
            flows[parent].add((enters, leaves))
            if (parent, destination) in passed:
                break
            passed.add((parent, destination))
            enters, start, current = leaves, trunk, parent
    across = (
        ((trunks[parent], first), (trunks[parent], last))
        for parent, pairs in flows.items()
        for first, last in _merged(pairs)
    )
    return Returns((*sorted(stubs), *across), tuple(sorted(tips)))


def _merged(pairs: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Disjoint intervals that cover the same."""
    merged: list[tuple[float, float]] = []
    for first, last in sorted((min(pair), max(pair)) for pair in pairs):
        if first == last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
