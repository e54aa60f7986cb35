"""No two nodes of a drawn tree touch, whatever their sizes; order and centring hold."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steiner.picture.tree_layout import Extent, Gaps, Place, lay_out

GAPS = Gaps(level=10, sibling=4, tree=20)
SLACK = 1e-6


@st.composite
def forests(draw: st.DrawFn) -> tuple[dict[int, int | None], dict[int, Extent]]:
    num_nodes = draw(st.integers(1, 40))
    parents: dict[int, int | None] = {0: None}
    for node in range(1, num_nodes):
        parents[node] = draw(st.none() | st.integers(0, node - 1))
    sizes = st.floats(1, 100)
    return parents, {node: Extent(draw(sizes), draw(sizes)) for node in parents}


@given(forests())
@settings(max_examples=200, deadline=None)
def test_nodes_stand_apart_in_order_and_parents_in_the_middle(
    forest: tuple[dict[int, int | None], dict[int, Extent]],
) -> None:
    parents, extents = forest
    places = lay_out(parents, extents, GAPS)
    by_level: dict[int, list[Place]] = defaultdict(list)
    siblings: dict[int, list[Place]] = defaultdict(list)
    for node, parent in parents.items():
        place = places[node]
        by_level[place.level].append(place)
        assert place.along >= 0
        assert place.across >= -SLACK
        if parent is None:
            assert place.level == 0
        else:
            assert place.level == places[parent].level + 1
            assert place.along >= places[parent].along_end + GAPS.level - SLACK
            siblings[parent].append(place)
    for level in by_level.values():
        for before, after in pairwise(sorted(level, key=lambda place: place.across)):
            assert after.across >= before.across_end + GAPS.sibling - SLACK
    for parent, group in siblings.items():
        assert group == sorted(group, key=lambda place: place.across)
        assert places[parent].middle == pytest.approx((group[0].middle + group[-1].middle) / 2)


def test_a_subtree_slides_under_a_shorter_sibling() -> None:
    """0 has children 1 and 2; only 2 has children, which use the space beside 1."""
    parents = {0: None, 1: 0, 2: 0, 3: 2, 4: 2, 5: 2}
    places = lay_out(parents, dict.fromkeys(parents, Extent(10, 10)), GAPS)
    assert [places[node].across for node in (1, 2)] == pytest.approx([0, 14])
    assert [places[node].across for node in (3, 4, 5)] == pytest.approx([0, 14, 28])


def test_trees_stand_behind_each_other() -> None:
    places = lay_out({0: None, 1: 0, 2: 0, 7: None}, dict.fromkeys((0, 1, 2, 7), Extent(10, 10)), GAPS)
    assert places[7].across == pytest.approx(places[2].across_end + GAPS.tree)


def test_a_chain_deeper_than_pythons_stack() -> None:
    parents = {node: node - 1 if node else None for node in range(5000)}
    places = lay_out(parents, dict.fromkeys(parents, Extent(3, 2)), GAPS)
    assert places[4999].along == 4999 * 13
    assert places[4999].across == 0


def test_a_node_before_its_parent_is_refused() -> None:
    with pytest.raises(ValueError, match="node 2 comes before its parent 1"):
        lay_out({2: 1, 1: None}, {1: Extent(1, 1), 2: Extent(1, 1)}, GAPS)
    assert lay_out({}, {}, GAPS) == {}
