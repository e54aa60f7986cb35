"""The positions of a tree's nodes, whatever draws them.

A tidy drawing (Reingold and Tilford, "Tidier Drawings of Trees", 1981): levels in rows or columns, a parent centred on
its children, siblings in their order and as close as their subtrees allow. Linear in the number of nodes, without
recursion, and for nodes of any size.

Axes: `along` runs from a root to its leaves, `across` from the first sibling to the last. A picture that grows to the
right takes (x, y) = (along, across), one that grows down (x, y) = (across, along).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Extent:
    """Size of a node along both axes, in any unit."""

    along: float
    across: float


@dataclass(frozen=True, slots=True)
class Gaps:
    """Free space between levels, between siblings and cousins, and between trees; in the unit of the extents."""

    level: float
    sibling: float
    tree: float


@dataclass(frozen=True, slots=True)
class Place:
    """A node's rectangle; `along` and `across` are its smallest coordinates, none below 0.

    Attributes:
        level: edges between the node and the root of its tree.
    """

    along: float
    across: float
    extent: Extent
    level: int

    @property
    def along_end(self) -> float:
        """Where the side of the children is."""
        return self.along + self.extent.along

    @property
    def across_end(self) -> float:
        """Where the side of the next sibling is."""
        return self.across + self.extent.across

    @property
    def middle(self) -> float:
        """Centre across."""
        return self.across + self.extent.across / 2


@dataclass(slots=True)
class _Contour:
    """First and last edge of a subtree at each of its levels, deepest level first; add `shift` to every entry."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    shift: float = 0.0

    def distance_behind(self, other: "_Contour", gap: float) -> float:
        """How far to move this subtree so that it clears `other` at every level that both have."""
        overlap = (
            other.last[-1 - i] + other.shift - self.first[-1 - i] - self.shift
            for i in range(min(len(self.first), len(other.first)))
        )
        return max(overlap) + gap

    def joined(self, behind: "_Contour") -> "_Contour":
        """The contour of both, in steps of the shallower one."""
        shared = min(len(self.first), len(behind.first))
        if len(behind.first) <= len(self.first):
            for i in range(1, shared + 1):
                self.last[-i] = behind.last[-i] + behind.shift - self.shift
            return self
        for i in range(1, shared + 1):
            behind.first[-i] = self.first[-i] + self.shift - behind.shift
        return behind


def lay_out(parents: Mapping[int, int | None], extents: Mapping[int, Extent], gaps: Gaps) -> dict[int, Place]:
    """Place every node. Several trees come one after another across, in the order of their roots.

    Args:
        parents: each node's parent, None for a root; a parent comes before its children, siblings in their order.

    Raises:
        ValueError: a node comes before its parent, or the parent is not there.
    """
    levels: dict[int, int] = {}
    children: dict[int, list[int]] = {node: [] for node in parents}
    for node, parent in parents.items():
        if parent is None:
            levels[node] = 0
        elif parent in levels:
            levels[node] = levels[parent] + 1
            children[parent].append(node)
        else:
            raise ValueError(f"node {node} comes before its parent {parent}, or {parent} is not in the tree")

    contours: dict[int, _Contour] = {}
    offsets: dict[int, float] = {}
    for node in reversed(list(parents)):
        contour = _around_children(children[node], contours, offsets, gaps.sibling)
        half = extents[node].across / 2
        contour.first.append(-half - contour.shift)
        contour.last.append(half - contour.shift)
        contours[node] = contour

    middles: dict[int, float] = {}
    free = 0.0
    for node, above in parents.items():
        if above is None:
            contour = contours[node]
            middles[node] = free - min(contour.first) - contour.shift
            free = middles[node] + max(contour.last) + contour.shift + gaps.tree
        else:
            middles[node] = middles[above] + offsets[node]
    starts = _level_starts(levels, extents, gaps.level)
    return {
        node: Place(
            starts[levels[node]], middles[node] - extents[node].across / 2, extents[node], levels[node]
        )
        for node in parents
    }


def _around_children(
    children: list[int], contours: dict[int, _Contour], offsets: dict[int, float], gap: float
) -> _Contour:
    """Push siblings together, note their offsets from their middle, and return the contour around that middle."""
    if not children:
        return _Contour()
    around = contours.pop(children[0])
    offsets[children[0]] = 0.0
    for child in children[1:]:
        behind = contours.pop(child)
        distance = behind.distance_behind(around, gap)
        behind.shift += distance
        offsets[child] = distance
        around = around.joined(behind)
    middle = offsets[children[-1]] / 2
    for child in children:
        offsets[child] -= middle
    around.shift -= middle
    return around


def _level_starts(levels: Mapping[int, int], extents: Mapping[int, Extent], gap: float) -> list[float]:
    longest = [0.0] * (max(levels.values(), default=-1) + 1)
    for node, level in levels.items():
        longest[level] = max(longest[level], extents[node].along)
    starts, free = [], 0.0
    for length in longest:
        starts.append(free)
        free += length + gap
    return starts
